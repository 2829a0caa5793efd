"""What hurt other machines, made to happen to this one: `catalogue` tells each story, the other modules stage them."""
