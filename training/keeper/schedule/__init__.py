"""The one door to APScheduler: the cron line, kept on either clock.

``cron`` alone reads it; ``schedule`` keeps the next run, by SQLAlchemy, whose loading takes a while.
"""
