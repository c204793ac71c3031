"""Commands that look at what is there: status, report, dashboard, analysis."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inverse_instruct.commands.parsers.command import add_command, add_json


def add_looking_commands(commands: Any) -> None:
    """Add `status`, `report`, `dashboard`, `track` and `analyze`."""
    _add_status(commands)
    _add_report(commands)
    _add_dashboard(commands)
    _add_track(commands)
    _add_analyze(commands)


def _add_status(commands: Any) -> None:
    status = add_command(
        commands,
        "status",
        _status,
        "show where a run is, also while it runs",
        "inverse-instruct status runs/quickstart --json",
    )
    status.add_argument("run_dir", type=Path, nargs="?", help="folder of the run (default: the newest under runs/)")
    add_json(status)


def _add_report(commands: Any) -> None:
    report = add_command(
        commands,
        "report",
        _report,
        "write one self-contained HTML page about a run",
        "inverse-instruct report runs/quickstart --output report.html",
    )
    report.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")
    report.add_argument("--output", type=Path, metavar="FILE", help="the page (default: DIR/report.html)")


def _add_dashboard(commands: Any) -> None:
    dashboard = add_command(
        commands,
        "dashboard",
        _dashboard,
        "show a run in the browser, live and read-only",
        "inverse-instruct dashboard runs/quickstart --port 8050",
    )
    dashboard.add_argument(
        "run_dir", type=Path, nargs="?", metavar="DIR", help="folder of the run (default: the newest under runs/)"
    )
    dashboard.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s); whoever reaches it can read the run",
    )
    dashboard.add_argument("--port", type=int, default=8050, help="0 takes a free one (default: %(default)s)")


def _add_track(commands: Any) -> None:
    track = add_command(
        commands,
        "track",
        _track,
        "hand what a run has measured to a tracker; again, and only what is new",
        "inverse-instruct track runs/quickstart --to tensorboard --project tracked\n"
        "  inverse-instruct track runs/quickstart --to wandb --follow",
    )
    track.add_argument("run_dir", type=Path, metavar="DIR", help="folder of the run")
    track.add_argument("--to", required=True, choices=("tensorboard", "mlflow", "wandb", "trackio"))
    track.add_argument(
        "--project",
        default="inverse-instruct",
        help="project, experiment or, of TensorBoard, folder that the run is kept in (default: %(default)s)",
    )
    track.add_argument("--follow", action="store_true", help="go on until the run has ended")


def _add_analyze(commands: Any) -> None:
    analysis = add_command(
        commands,
        "analyze",
        _analyze,
        "say what a run's rows are like, or any files of rows: lengths, verbs, duplicates, nearness to benchmarks; "
        "of one run, also for its dashboard and report",
        "inverse-instruct analyze runs/quickstart --benchmark humaneval --output analysis.html",
    )
    analysis.add_argument("rows", type=Path, nargs="+", help="runs, or files of rows in any layout of corpora")
    analysis.add_argument(
        "--benchmark",
        action="append",
        metavar="NAME",
        help="suite or file to measure the similarity to; may be given several times (default: mini)",
    )
    analysis.add_argument(
        "--embedding",
        metavar="MODEL",
        help="folder of sentence-transformers, or a name on the hub: adds categories, and a second similarity",
    )
    analysis.add_argument("--output", type=Path, metavar="FILE", help="write one HTML page with the distributions")
    add_json(analysis)


def _status(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.status import print_status
    from inverse_instruct.store.run_dir import newest_run
    from inverse_instruct.store.status import summarize_run

    print_status(summarize_run(arguments.run_dir or newest_run()), arguments.json)


def _report(arguments: argparse.Namespace) -> None:
    from inverse_instruct.dashboard.report import write_report

    output = arguments.output or arguments.run_dir / "report.html"
    write_report(arguments.run_dir, output)
    print(output)


def _dashboard(arguments: argparse.Namespace) -> None:
    from inverse_instruct.dashboard.app import serve
    from inverse_instruct.store.run_dir import newest_run

    serve(arguments.run_dir or newest_run(), arguments.host, arguments.port)


def _track(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.track import run_track

    run_track(arguments)


def _analyze(arguments: argparse.Namespace) -> None:
    from inverse_instruct.commands.analyze import run_analyze

    run_analyze(arguments)
