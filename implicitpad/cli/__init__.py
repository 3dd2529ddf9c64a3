"""The `implicitpad` command: one module per subcommand, imported when it is called."""

from __future__ import annotations

from importlib import import_module

try:
    import click
    import rich  # noqa: F401
except ImportError as error:
    raise SystemExit(
        f"The implicitpad command needs {error.name}: pip install 'implicitpad[cli]'."
    ) from None

# Each name is a module here that holds a click command of the same name.
COMMANDS = {
    "check": "Check a model: sizes, costs, and the inputs it works for.",
    "demo": "Filter a photograph with fake zeros, explicit and implicit padding.",
    "explain": "Draw windows, stride, dilation and padding of a layer.",
    "info": "Show versions, instruction sets, threads and GPU.",
    "shape": "Output size of a layer, or the settings that give it.",
    "verify": "Prove the formulas, then check them against the kernels.",
}

# The optional extra that brings a module which a subcommand may miss.
EXTRAS = {"sympy": "spec", "matplotlib": "demo", "skimage": "demo"}


class LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"implicitpad.cli.{cmd_name}")
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            raise click.ClickException(
                f"implicitpad {cmd_name} needs {error.name}: "
                f"pip install 'implicitpad[{EXTRAS[error.name]}]'."
            ) from None
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="implicitpad")
def main() -> None:
    """Convolution with implicit padding: a width and a fill value, never written to memory."""
