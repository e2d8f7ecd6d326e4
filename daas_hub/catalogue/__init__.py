"""What can be launched: applications and sizes, read and checked from YAML files."""

from daas_hub.catalogue.icons import icon_file
from daas_hub.catalogue.model import IMAGE_REFERENCE, Application, Catalogue, Kind, Size, bytes_in_words
from daas_hub.catalogue.reader import read_catalogue

__all__ = [
    "IMAGE_REFERENCE",
    "Application",
    "Catalogue",
    "Kind",
    "Size",
    "bytes_in_words",
    "icon_file",
    "read_catalogue",
]
