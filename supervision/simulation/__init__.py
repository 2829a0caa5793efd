"""The deterministic simulation: every actor and the simulated broker on one virtual clock, from a seed, and checked."""
