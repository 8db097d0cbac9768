"""The module's part on the server: its addresses under ``/v1/m/acceptance`` and its jobs."""

from __future__ import annotations

from fastapi import APIRouter

from modules.acceptance.server import applications, colleagues, province, queue, settings
from modules.common.server_ports import ServerServices


def routes(services: ServerServices) -> APIRouter:
    """The module's router; every route names its permission."""
    router = APIRouter()
    router.include_router(province.router(services))
    router.include_router(applications.router(services))
    router.include_router(queue.router(services))
    router.include_router(settings.router(services))
    router.include_router(colleagues.router(services))
    return router
