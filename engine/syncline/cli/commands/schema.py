import click
@click.command(short_help="schema")
def schema() -> None:
    """schema."""
