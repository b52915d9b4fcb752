"""The command `sevedo`: the group, what its commands share, and how a mistake is told.

A command is a file of `gen/commands/`, named like the command, that defines `command`. Its first docstring line is
what `sevedo --help` shows, read without importing it, so that help never waits for PyTorch or Amaranth.
"""

from __future__ import annotations

import ast
import errno
import functools
import importlib
import os
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from sevedo.gen.config import Config

COMMANDS = Path(__file__).with_name("commands")
"""The folder of the commands, one file each."""

USER_ERROR = 2
"""Exit code of every mistake of the user's."""

TOLD = [
    ("sevedo.gen.config", "ConfigError"),
    ("sevedo.gen.files", "FileError"),
    ("sevedo.sim.toolchain", "ToolError"),
    ("sevedo.gen.boards.board", "BoardError"),
    ("sevedo.gen.synth.library", "LibertyError"),
    ("sevedo.gen.synth.power", "PowerError"),
    ("sevedo.gen.synth.units", "UnitError"),
    ("sevedo.gen.synth.gates", "GateError"),
    ("sevedo.gen.compile.errors", "CompileError"),
    ("sevedo.gen.host.accelerator", "HostError"),
    ("sevedo.gen.host.inputs", "InputError"),
    ("sevedo.gen.sweep.errors", "SweepError"),
    ("sevedo.gen.report.errors", "ReportError"),
    ("sevedo.gen.program.text", "AssemblyError"),
    ("sevedo.ref.artefact.errors", "ArtefactError"),
    ("sevedo.ref.checkpoint.errors", "CheckpointError"),
]
"""Exceptions besides `UserError` that a user can mend: their message names what is wrong and the rule."""


class UserError(Exception):
    """Something the user can mend. The message is one line that names the thing, its value and the rule."""


class CommandGroup(click.Group):
    """A group whose commands are files, imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, sorted."""
        return sorted(path.stem.replace("_", "-") for path in COMMANDS.glob("[a-z]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        return importlib.import_module(f"sevedo.gen.commands.{cmd_name.replace('-', '_')}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but a wrong name is answered with the right ones."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise UserError(f"command={name} must be one of {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in `sevedo --help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name)) for name in self.list_commands(ctx)])


class Finite(click.FloatRange):
    """A number in a range; NaN, which compares with nothing, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click does it, but NaN is refused."""
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail(f"{value} is no number", param, ctx)
        return found


CONFIG_FILE = "sevedo.config_file"
"""Key in a click context's `meta`: the configuration's file, when it came from one."""


class ConfigType(click.ParamType):
    """An option that takes a preset's name or a TOML file and gives the command a `Config`."""

    name = "PRESET|FILE.toml"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Config:
        """Load and validate; a bad configuration is a `UserError`."""
        from sevedo.gen.config import Config, ConfigError

        if isinstance(value, Config):
            return value
        if ctx is not None and Path(value).is_file():
            ctx.meta[CONFIG_FILE] = Path(value)
        try:
            return Config.load(value)
        except ConfigError as error:
            raise UserError(str(error)) from None


def plain_config_option(default: str = "tiny") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option `--config` alone."""
    return click.option(
        "--config",
        type=ConfigType(),
        default=default,
        show_default=True,
        help="A preset (see `sevedo presets`) or a TOML file like one.",
    )


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--config` and `--scheme`, for every command that needs a configuration; it gets `config`."""

    @plain_config_option()
    @click.option(
        "--scheme",
        metavar="NAME",
        help="Another scale scheme than the configuration's: hgq, vs-quant, fp-fine, mx or coarse.",
    )
    @functools.wraps(function)
    def with_config(*args: Any, config: Config, scheme: str | None, **options: Any) -> Any:
        from sevedo.gen.config import ConfigError

        if scheme is not None:
            try:
                config = config.with_scheme(scheme)
            except ConfigError as error:
                raise UserError(str(error)) from None
        return function(*args, config=config, **options)

    return with_config


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=CommandGroup, context_settings=SETTINGS)
@click.version_option(metadata.version("sevedo"), "-V", "--version", prog_name="sevedo")
def cli() -> None:
    """Generate 4-bit transformer accelerators, from PyTorch to Verilog, bit for bit.

    Hierarchical group quantization for the residual, a low-rank path for what 4 bits cannot hold.

    \b
    Examples:
      sevedo presets
      sevedo presets tiny > mine.toml
      sevedo COMMAND --help
    """


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line; every mistake of the user's ends in one line on stderr and exit code 2."""
    try:
        code = cli.main(args, prog_name="sevedo", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USER_ERROR)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "sevedo"
        _fail(f"{error.format_message().rstrip('.')} (see {where} --help)")
    except click.ClickException as error:
        _fail(error.format_message())
    except UserError as error:
        _fail(str(error))
    except BrokenPipeError:
        _stop_writing()
        sys.exit(1)  # as click does when the pipe breaks while a command still runs
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        _stop_writing()
        _fail(f"{error.filename or 'output'}: {error.strerror}")
    except click.Abort:
        click.echo("sevedo: interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if not _is_told(error):
            raise
        _fail(str(error))
    sys.exit(code if isinstance(code, int) else 0)


def _summary(name: str) -> str:
    text = COMMANDS.joinpath(f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _is_told(error: Exception) -> bool:
    """Whether it is one of the exceptions whose message is written for the user; their modules may not be loaded."""
    classes = [getattr(sys.modules.get(module), name, None) for module, name in TOLD]
    return isinstance(error, tuple(c for c in classes if c is not None))


def _fail(message: str) -> NoReturn:
    lines = [" ".join(line.split()) for line in message.splitlines()]
    click.echo(f"sevedo: error: {'; '.join(filter(None, lines))}", err=True)
    sys.exit(USER_ERROR)


def _stop_writing() -> None:
    """Nobody reads our output any more: what is still buffered must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
