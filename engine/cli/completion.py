"""The command `completion`: the commands and their options → a script that completes them.

The script is printed once and holds all words: completing starts no Python. bash and zsh share one
(zsh reads bash's), fish has its own.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from engine.cli.terminal import Commands

COMMAND = "shazam-visual"
SHELLS = ("bash", "zsh", "fish")
_BASH = """\
_shazam_visual() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
  if [ "$COMP_CWORD" = 1 ]; then
    words="{names}"
  else
    case "${{COMP_WORDS[1]}} $before" in
{choices}
      *) case "${{COMP_WORDS[1]}} $word" in
{options}
      esac;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _shazam_visual {command}"""


def offer_completion(commands: Commands) -> None:
    made = commands.add(
        "completion",
        lambda options: _completion(options, commands),
        f"A script by which a shell completes {COMMAND}.",
        "bash > ~/.local/share/bash-completion/completions/" + COMMAND,
        'zsh > ~/.shazam-visual.zsh && echo "source ~/.shazam-visual.zsh" >> ~/.zshrc',
        f"fish > ~/.config/fish/completions/{COMMAND}.fish",
    )
    made.add_argument("shell", choices=SHELLS, help="the shell that is to read it")


def _completion(options: argparse.Namespace, commands: Commands) -> int:
    if options.shell == "fish":
        print("\n".join(_fish(commands)))
        return 0
    if options.shell == "zsh":
        # Once is enough: it reads every folder of functions, and most have it in their .zshrc.
        print("whence compdef > /dev/null || { autoload -Uz compinit && compinit; }")
        print("autoload -Uz bashcompinit && bashcompinit")
    print(_bash(commands))
    return 0


def _bash(commands: Commands) -> str:
    choices, options = [], []
    for name, parser in commands.parsers.items():
        words: list[str] = []
        for action in _actions(parser):
            words += action.option_strings
            if action.choices and not action.option_strings:
                words += map(str, action.choices)
            for option in action.option_strings if action.choices else ():
                said = " ".join(map(str, action.choices or ()))
                choices.append(f'      "{name} {option}") words="{said}";;')
        dashed = " ".join(word for word in words if word.startswith("-"))
        others = " ".join(word for word in words if not word.startswith("-"))
        options.append(f'        "{name} -"*) words="{dashed}";;')
        if others:
            options.append(f'        "{name} "*) words="{others}";;')
    return _BASH.format(
        names=" ".join(commands.parsers),
        choices="\n".join(choices),
        options="\n".join(options),
        command=COMMAND,
    )


def _fish(commands: Commands) -> Iterator[str]:
    for name, parser in commands.parsers.items():
        text = shlex.quote(parser.description or "")
        yield f"complete -c {COMMAND} -n __fish_use_subcommand -f -a {name} -d {text}"
        for action in _actions(parser):
            words = [f"complete -c {COMMAND} -n '__fish_seen_subcommand_from {name}'"]
            for option in action.option_strings:
                words.append(f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}")
            if action.choices:
                words.append(f"-x -a {shlex.quote(' '.join(map(str, action.choices)))}")
            elif action.option_strings and action.nargs != 0:
                words.append("-r")
            if len(words) > 1:
                yield " ".join([*words, "-d", _short(action)])


def _short(action: argparse.Action) -> str:
    return shlex.quote((action.help or "").partition(" (default")[0])


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a command takes. argparse has no public list of it; the one it has is old and stable."""
    return parser._actions
