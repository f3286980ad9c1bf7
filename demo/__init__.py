"""An inference gateway to watch, and the worked example of how to instrument a service.

```
load ──HTTP──► gateway ──HTTP──► model        pager ◄── Grafana's notifications
                 │ /metrics         │ OTLP metrics
                 ▼                  ▼
             Prometheus         collector      every one: spans by OTLP, JSON lines on its output
```

`telemetry` is what an application needs to be followed, in two dozen lines; `contract` is the metric contract of the
README. The rest is the application.
"""
