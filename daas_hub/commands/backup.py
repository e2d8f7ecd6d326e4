"""The commands `daas-hub backup` and `daas-hub restore`."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path
from urllib.parse import urlsplit

import click

from daas_hub.commands.archive import ArchiveProblem, contents_of, read_archive, write_archive, write_files
from daas_hub.commands.arguments import CONFIG, config_file
from daas_hub.commands.output import JSON, as_json, counted, progress_of, reports_errors
from daas_hub.commands.running_hub import address_of_hub, load_config

_DUMPS = {
    "postgresql": "pg_dump --format=custom --file=daas_hub.dump daas_hub",
    "mysql": "mariadb-dump --single-transaction daas_hub > daas_hub.sql",
    "mariadb": "mariadb-dump --single-transaction daas_hub > daas_hub.sql",
}
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("target", type=_PATH)
@CONFIG
@click.option("--without-database", is_flag=True, help="Leave out a database that is not SQLite.")
@JSON
@reports_errors
def backup(target: Path, config: Path | None, without_database: bool, is_json: bool) -> int:
    """Back up configuration, database and secrets into an archive.

    TARGET is a new file, such as /root/daas-hub.tar.gz. It gets configuration, tables and secrets, the hub's SQLite
    database, the key of its cookies, and connected logins. The hub may run meanwhile. On a terminal it shows its
    progress.
    """
    file = config_file(config)
    loaded = load_config(file)
    contents = contents_of(file, loaded, address_of_hub(loaded))
    if contents.database and not without_database:
        dump = _DUMPS.get(contents.database, "the tool of that database")
        raise ArchiveProblem(
            f"The hub's database is {contents.database}, which this command does not copy.",
            remedy=f"Back it up at the same time with `{dump}`, and run this with --without-database.",
        )
    with progress_of("copied", contents.size_bytes) as on_copied:
        count = write_archive(target, contents, on_copied=on_copied)
    size = target.stat().st_size
    if is_json:
        print(as_json({"file": str(target), "bytes": size, "files": [str(one) for one in contents.files]}))
    else:
        print(f"{target}: {counted(count, 'file')}, {size / 1e6:.1f} MB. It contains secrets.")
    return 0


@click.command()
@click.argument("source", type=_PATH)
@click.option("--list", "only_list", is_flag=True, help="Print what is in the archive, and restore nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@reports_errors
def restore(source: Path, *, only_list: bool, yes: bool, is_json: bool) -> int:
    """Restore an archive of `daas-hub backup`.

    Every file returns to where it was, and replaces what is there. The hub must not run. No session is ended by it:
    sessions that the restored database does not know are listed by `daas-hub doctor`.
    """
    with read_archive(source) as (manifest, files, archive):
        made_at = datetime.datetime.fromtimestamp(manifest["made_at"]).astimezone()
        names = [f"/{one.name}" for one in files]
        found = {"file": str(source), "version": manifest["version"], "made_at": made_at.isoformat(timespec="seconds"),
                 "database": manifest["database"], "files": names}  # fmt: skip
        if not is_json:
            print(f"{source}: {counted(len(files), 'file')} of {made_at:%Y-%m-%d %H:%M}, daas_hub {found['version']}")
        if only_list:
            print(as_json(found | {"restored": False}) if is_json else "\n".join(names))
            return 0
        if _responds(str(manifest["hub_url"])):
            raise ArchiveProblem(
                f"Something listens at {manifest['hub_url']}: the hub runs.", remedy="systemctl stop daas-hub"
            )
        if not yes and not click.confirm("Replace the files of this installation?", err=True):
            click.echo("nothing was restored", err=True)
            return 1
        try:
            with progress_of("restored", sum(one.size for one in files)) as on_copied:
                write_files(files, archive, on_copied)
        except OSError as error:
            raise ArchiveProblem(
                f"The restore ended early: {error}.", remedy="Correct this, and run it again."
            ) from None
    if manifest["database"]:
        click.echo(f"The database ({manifest['database']}) is not in the archive: restore its dump, too.", err=True)
    words = "restored. Next: daas-hub check-config, then start the hub, then daas-hub doctor"
    print(as_json(found | {"restored": True}) if is_json else words)
    return 0


def _responds(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 8081), timeout=3):
            return True
    except OSError:
        return False
