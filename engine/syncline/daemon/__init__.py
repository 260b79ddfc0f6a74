"""Passes for ever (repository, loop, schedule): the timetable of schedules stands, the loop doesn't yet."""
