"""The subcommands of `sevedo`, one file each, imported when they are called."""
