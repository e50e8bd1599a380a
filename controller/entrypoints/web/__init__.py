"""The page: server-rendered, without a build step, and readable without JavaScript."""
