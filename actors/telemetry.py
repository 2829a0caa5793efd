"""Telemetry: counts and measures; what the status line, the desk and Prometheus show comes from here.

Beside its core this shell serves it to Prometheus: /metrics, and /healthz, which answers as long as the process lives.
A scrape reads the core's own state under a lock, on the server's thread; a day of pairs takes it some 100 ms.
"""

import os
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family

from actors.core import Core
from actors.cores.telemetry import TelemetryCore, TelemetrySettings
from actors.domain.metrics import BUILD, CATALOGUE, Kind, Metric, Sample
from actors.effects import Effects, Role
from actors.shell import Shell
from kiwoom.market import MS, SECOND


@dataclass(frozen=True, slots=True)
class TelemetrySetup:
    """What Telemetry is enlisted with. `port` 0: serve no metrics."""

    core: TelemetrySettings
    host: str
    port: int
    version: str
    mode: str


class Telemetry(Shell):
    role = Role.TELEMETRY

    def make_core(self, settings: TelemetrySetup) -> Core:
        core = TelemetryCore(settings.core)
        self._setup = settings
        self._lock = threading.Lock()
        self._server: MetricsServer | None = None
        self._counting = core
        return core

    def enlisted(self) -> None:
        if not self._setup.port:
            return
        try:
            self._server = MetricsServer(self._setup.host, self._setup.port, self._scraped)
        except OSError as fault:
            # Figures matter more than who scrapes them: no reason to fail, and to be started again and again.
            sys.stderr.write(f"metrics are not served on {self._setup.host}:{self._setup.port}: {fault}\n")

    def decide(self, message: object) -> Effects:
        if self.core is None:
            return super().decide(message)
        with self._lock:
            return super().decide(message)

    def closing(self) -> None:
        if self.core is not None and self._server is not None:
            self._server.close()

    def _scraped(self) -> list[Sample]:
        build = Sample(BUILD, (self._setup.version, self._setup.mode), 1)
        with self._lock:
            return [build, *self._counting.samples()]


class MetricsServer:
    """Serves what `samples` gives, on a thread of its own. Raises OSError if the port cannot be used."""

    def __init__(self, host: str, port: int, samples: Callable[[], Iterable[Sample]]) -> None:
        registry = CollectorRegistry()
        registry.register(_Collector(samples))
        metrics = make_wsgi_app(registry)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            match environ["PATH_INFO"]:
                case "/metrics":
                    return metrics(environ, start_response)
                case "/healthz":
                    start_response("200 OK", [("Content-Type", "text/plain")])
                    return [b"ok\n"]
                case _:
                    start_response("404 Not Found", [("Content-Type", "text/plain")])
                    return [b"/metrics, /healthz\n"]

        self._server = make_server(host, port, application, _Server, _Handler)
        self.port: int = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"
    """Elsewhere it would let two programs share a port."""

    def server_bind(self) -> None:
        """Without the look-up of the host's name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are no news."""


class _Collector:
    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def describe(self) -> list[Family]:
        return []

    def collect(self) -> Iterator[Family]:
        by_metric: dict[str, list[Sample]] = {metric.name: [] for metric in CATALOGUE}
        for sample in self._samples():
            by_metric[sample.metric.name].append(sample)
        for metric in CATALOGUE:
            yield family_of(metric, by_metric[metric.name])


def family_of(metric: Metric, samples: list[Sample]) -> Family:
    """The metric as prometheus_client shows it; without samples only its description."""
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for sample in samples:
            histogram.add_metric(sample.labels, buckets_of(metric, sample), sum(sample.samples_ns) / SECOND)
        return histogram
    plain = (
        CounterMetricFamily(metric.name.removesuffix("_total"), metric.meaning, labels=metric.labels)
        if metric.kind is Kind.COUNTER
        else GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    )
    for sample in samples:
        plain.add_metric(sample.labels, sample.value)
    return plain


def buckets_of(metric: Metric, sample: Sample) -> list[tuple[str, int]]:
    """(upper bound in seconds, how many are not above it), up to +Inf."""
    bounds = [bound * MS for bound in metric.buckets_ms]
    counts = [0] * (len(bounds) + 1)
    for value in sample.samples_ns:
        counts[bisect_left(bounds, value)] += 1
    total, buckets = 0, []
    for name, count in zip([*(str(bound / 1_000) for bound in metric.buckets_ms), "+Inf"], counts, strict=True):
        total += count
        buckets.append((name, total))
    return buckets
