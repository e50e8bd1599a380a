"""What runs on a beat: the loop itself, who leads, schedules, the outbox, lost runs, readiness."""
