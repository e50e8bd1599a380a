"""The decision page: what a reviewer who has never seen the system understands within a minute."""
