"""Where a stack lives, and the boto3 clients for it: an account on AWS, or the local engine."""

from __future__ import annotations

import getpass
import os
import threading
from typing import Any, Literal, Protocol, cast, get_args

import boto3
import botocore.session
from batchcore.dynamojson import read_as_sent
from botocore.config import Config

from batchops.core.errors import (
    REGION_HINT,
    CredentialsError,
    EngineNotRunningError,
    InputError,
    RegionError,
    translated,
)
from batchops.core.version import __version__

TargetName = Literal["local", "aws"]

# How often a status is asked for. AWS throttles those who ask more; the engine is next door.
_POLL_S = {"aws": 2.0, "local": 0.2}


class Endpoint(Protocol):
    """A running local engine: where it answers, and the keys that it knows."""

    @property
    def endpoint_url(self) -> str:
        """The address that clients send their requests to."""

    @property
    def access_key_id(self) -> str:
        """The id of the access key."""

    @property
    def secret_access_key(self) -> str:
        """The secret of the access key."""

    @property
    def region(self) -> str:
        """The region that it plays."""


class Engine(Protocol):
    """What a target needs of a local engine."""

    def find(self) -> Endpoint | None:
        """Return the running engine, or None where none runs and answers."""

    def start(self) -> Endpoint:
        """Start the engine unless it runs already."""

    @property
    def silent(self) -> str:
        """That its process runs and does not answer, in words; empty otherwise."""

    def moved(self, endpoint: Endpoint) -> bool:
        """Return whether the engine was last started at another address than this one."""


class Target:
    """One account and region that stacks are deployed to.

    Objects may be used by several threads at once. Nothing is read or opened before it is needed.

    Parameters
    ----------
    name
        ``"local"`` for the embedded engine, ``"aws"`` for an account.
    region
        By default the profile's, or that of the environment. The local engine has one region.
    profile
        The profile of the AWS configuration whose credentials are used; on AWS only.
    engine
        The engine to use; on the local target only, which needs one.
    session
        The session whose credentials are used, in place of a profile; on AWS only.

    Raises
    ------
    InputError
        The name is unknown, or the options belong to the other target.
    """

    def __init__(
        self,
        name: TargetName = "local",
        *,
        region: str | None = None,
        profile: str | None = None,
        engine: Engine | None = None,
        session: boto3.Session | None = None,
    ) -> None:
        if name not in get_args(TargetName):
            raise InputError(f"no target {name!r}: it is one of {get_args(TargetName)}")
        if name == "local" and (profile or region not in (None, "us-east-1")):
            raise InputError(
                "the local engine has no profiles, and only the region us-east-1: leave "
                "profile and region out, or use target='aws'"
            )
        if (name == "local") != (engine is not None):
            raise InputError("an engine belongs to target='local', and to no other")
        self.name: TargetName = name
        self.profile = profile
        self.engine = engine
        self._region = region
        self._session = session
        self._endpoint: Endpoint | None = None
        self._account_id: str | None = None
        self._caller: str | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        """Name the target as it was made."""
        options = f", region={self._region!r}, profile={self.profile!r}" if not self.local else ""
        return f"Target({self.name!r}{options})"

    @property
    def local(self) -> bool:
        """Whether this is the embedded engine."""
        return self.name == "local"

    @property
    def poll_s(self) -> float:
        """Seconds to wait between two questions about a status."""
        return _POLL_S[self.name]

    def connect(self, *, start: bool = False) -> Target:
        """Make sure that clients can be made, and return the target itself.

        For the local engine this also notices that it was restarted elsewhere.

        Parameters
        ----------
        start
            Start the local engine where it does not run.

        Raises
        ------
        EngineNotRunningError
            The local engine does not run, and was not to be started.
        EngineError
            It could not be started.
        CredentialsError, RegionError
            The AWS configuration lacks them.
        """
        with self._lock:
            if self.engine is None:
                self._session = self._aws_session(self._session)
                return self
            info = self.engine.start() if start else self.engine.find()
            if info is None and (silent := self.engine.silent):
                raise EngineNotRunningError(f"{silent}: try again in a moment")
            if info is None:
                raise EngineNotRunningError(
                    "the local engine does not run: 'batchops engine start', or a deployment, "
                    "starts it with the state that it kept"
                )
            if info != self._endpoint:
                self._endpoint, self._session = info, _local_session(info)
                self._clients.clear()
            return self

    def client(self, service: str) -> Any:
        """Return this target's client of a service, made on first use and then kept."""
        with self._lock:
            self._notice_move()
            if service not in self._clients:
                if self._session is None:
                    self.connect()
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def new_client(self, service: str, config: Config) -> Any:
        """Return a client of its own, for calls that need other time-outs or retries."""
        with self._lock:
            self._notice_move()
            if self._session is None:
                self.connect()
            return self._make_client(service, config)

    def _notice_move(self) -> None:
        """Connect again where the local engine has another address since a restart."""
        if self.engine and self._endpoint and self.engine.moved(self._endpoint):
            self.connect()

    @property
    def given_region(self) -> str | None:
        """The region that was asked for, None for that of the configuration; reads nothing."""
        return self._region

    @property
    def region(self) -> str:
        """The region's name."""
        if self._region is None:
            if self._session is None:
                self.connect()
            self._region = cast("boto3.Session", self._session).region_name
        return self._region

    @property
    def account_id(self) -> str:
        """The account's number, asked for once."""
        if self._account_id is None:
            with translated("asking whose credentials these are"):
                answer = self.client("sts").get_caller_identity()
            self._account_id = str(answer["Account"])
        return self._account_id

    @property
    def caller(self) -> str:
        """Who acts: the ARN of the credentials' identity; on the local engine this user's name."""
        if self._caller is None:
            if self.local:
                self._caller = _user_name()
            else:
                with translated("asking whose credentials these are"):
                    self._caller = str(self.client("sts").get_caller_identity()["Arn"])
        return self._caller

    @property
    def endpoint(self) -> Endpoint | None:
        """The engine connected to; None on AWS, and before the first connection."""
        with self._lock:
            self._notice_move()
        return self._endpoint

    def _aws_session(self, given: boto3.Session | None) -> boto3.Session:
        with translated("reading the AWS configuration"):
            session = given or boto3.Session(profile_name=self.profile, region_name=self._region)
            credentials = session.get_credentials()
        if session.region_name is None:
            raise RegionError(f"no AWS region: {REGION_HINT}")
        partition = session.get_partition_for_region(session.region_name)
        if partition != "aws":
            raise RegionError(
                f"the region {session.region_name} is of the partition {partition}: batchops is "
                "made for the regions of the partition aws only, such as eu-central-1"
            )
        if credentials is None:
            raise CredentialsError(
                "no AWS credentials: pass profile=..., run 'aws configure' or 'aws sso login', "
                "or use target='local', which needs none"
            )
        return session

    def _make_client(self, service: str, special: Config | None = None) -> Any:
        session = cast("boto3.Session", self._session)
        config = _config() if self._endpoint is None else _local_config()
        if special is not None:
            config = config.merge(special)
        if service == "s3":
            # Of the ways to sign a link, the one that every region and KMS accept, on the
            # region's own host; the local engine has but one host.
            style: Any = "virtual" if self._endpoint is None else "path"
            links = Config(signature_version="s3v4", s3={"addressing_style": style})
            config = config.merge(links)
        endpoint = None if self._endpoint is None else self._endpoint.endpoint_url
        client = session.client(cast("Any", service), endpoint_url=endpoint, config=config)
        return read_as_sent(client) if service == "dynamodb" else client


def _config() -> Config:
    return Config(
        retries={"mode": "standard", "max_attempts": 8},
        connect_timeout=10,
        max_pool_connections=32,
        user_agent_extra=f"batchops/{__version__}",
    )


def _local_config() -> Config:
    # Every setting that the user's environment or ~/.aws could otherwise bring in: a proxy cannot
    # reach this computer's loopback, and the FIPS and dual-stack variants have no local endpoint.
    local = Config(
        proxies={},
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )
    return _config().merge(local)


def _user_name() -> str:
    """Return this user's name, or the number of one that has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter since Python 3.13
        return f"user {os.getuid()}"


def _local_session(info: Endpoint) -> boto3.Session:
    # Neither a profile nor a configuration file: AWS_PROFILE may name one that does not exist here.
    unread = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(
        aws_access_key_id=info.access_key_id,
        aws_secret_access_key=info.secret_access_key,
        region_name=info.region,
        botocore_session=botocore.session.Session(session_vars=cast("Any", unread)),
    )
