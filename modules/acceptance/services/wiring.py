"""Builds the service from what the host lends."""

from __future__ import annotations

from client.kernel.contract import Host
from client.kernel.ports import Commands, Drafts, MessageGateway, Printer, Prints, Records, Server, Session, Tray
from devices.ports import TicketPrinter
from modules.acceptance.services.booking import BookingService
from modules.acceptance.services.cases import AcceptanceService
from modules.acceptance.services.kiosk import KioskService
from modules.acceptance.services.queue import QueueService
from modules.acceptance.services.windows import HallService
from modules.common.clock import Clock


def service_of(host: Host) -> AcceptanceService:
    """The module's service. Raises ``LookupError`` when the application lacks a port."""
    return AcceptanceService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        drafts=host.service(Drafts),  # type: ignore[type-abstract]
        prints=host.service(Prints),  # type: ignore[type-abstract]
        tray=host.service(Tray),  # type: ignore[type-abstract]
        printer=host.service(Printer),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
    )


def queue_of(host: Host) -> QueueService:
    """What a window does with its line. Raises ``LookupError`` when the application lacks a port."""
    return QueueService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
        gateway=host.service(MessageGateway),  # type: ignore[type-abstract]
    )


def hall_of(host: Host) -> HallService:
    """What the hall's manager sees and sets. Raises ``LookupError`` when the application lacks a port."""
    return HallService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
    )


def kiosk_of(host: Host) -> KioskService:
    """What the ticket machine does. Raises ``LookupError`` when the application lacks a port."""
    return KioskService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
        printer=host.service(TicketPrinter),  # type: ignore[type-abstract]
    )


def booking_of(host: Host) -> BookingService:
    """Appointments. Raises ``LookupError`` when the application lacks a port."""
    return BookingService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        server=host.service(Server),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
        gateway=host.service(MessageGateway),  # type: ignore[type-abstract]
    )
