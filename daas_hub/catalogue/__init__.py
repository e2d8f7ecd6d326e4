"""What can be launched: applications and sizes, read and checked from YAML files."""

from daas_hub.catalogue.icons import icon_file
from daas_hub.catalogue.model import IMAGE_REFERENCE, Application, Catalogue, Kind, Size
from daas_hub.catalogue.reader import read_catalogue

__all__ = ["IMAGE_REFERENCE", "Application", "Catalogue", "Kind", "Size", "icon_file", "read_catalogue"]
