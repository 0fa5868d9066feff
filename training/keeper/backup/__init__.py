"""Backups of the keeper's state folder: taken while it runs, verified before anything is put back."""

from __future__ import annotations

from training.keeper.backup.manifest import Backup, verified
from training.keeper.backup.restoring import restore
from training.keeper.backup.taking import take_backup, take_backup_offline

__all__ = ["Backup", "restore", "take_backup", "take_backup_offline", "verified"]
