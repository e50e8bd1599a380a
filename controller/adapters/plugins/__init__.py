"""Plugins of a team: what is installed is read from metadata here; their code runs in processes of its own."""

from controller.adapters.plugins.host import ask_plugin
from controller.adapters.plugins.installed import (
    PLUGIN_API,
    Plugin,
    PluginGroup,
    find_plugin,
    installed,
)

__all__ = ["PLUGIN_API", "Plugin", "PluginGroup", "ask_plugin", "find_plugin", "installed"]
