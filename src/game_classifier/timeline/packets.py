"""Reading a video once, in order: its packets in pieces that threads can decode at the same time.

A group is what lies between two key frames. Groups need nothing of each other, so each thread decodes another one. This
needs no seeking, and is the same for a file, a pipe and a stream.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import av

from game_classifier.timeline.clock import Clock, Gap
from game_classifier.timeline.sampling import Moment, Sampler

ERRORS_IN_A_ROW = 1000  # of the container: after so many, nothing readable follows


@dataclass(frozen=True)
class Codec:
    """What a decoder must know before the first packet."""

    name: str
    tag: str
    extradata: bytes | None
    size: tuple[int, int]  # width, height
    pixel_format: str | None
    tick: float  # seconds of a timestamp's unit
    rotation: int  # degrees against the clock by which players turn the picture


@dataclass
class Group:
    """The packets from a key frame up to the next one."""

    codec: Codec
    start: float  # the time of its key frame
    turn: threading.Condition = field(default_factory=threading.Condition)
    decoder: object = None  # of decode.py, which keeps its state here between two pieces
    decoded: int = 0  # pieces


@dataclass
class Piece:
    """Some packets of a group, and the moments to look at while they are decoded."""

    group: Group
    number: int  # in the group
    begin: float
    packets: list[tuple[float, av.Packet]] = field(default_factory=list)  # (time at which it is shown, packet)
    moments: list[Moment] = field(default_factory=list)
    last: bool = False  # no more pieces of this group


def read_pieces(
    container: av.container.InputContainer, stream: av.VideoStream, clock: Clock, sampler: Sampler, longest: float
) -> Iterator[Piece | Gap]:
    """Yield the whole video in order, in pieces of at most `longest` seconds.

    Packets before the first key frame cannot be decoded and are skipped, and so is damage in the container. A video
    whose second "key frame" needs the frames before it, as with periodic intra refresh, is one group. Raises the error
    of FFmpeg where a connection breaks.
    """
    piece: Piece | None = None
    codec: Codec | None = None
    independent: bool | None = None  # key frames; None: only one was seen
    for packet in _packets(container, stream):
        if codec is None:
            if not packet.is_keyframe:
                continue
            codec, starts = _codec(stream, packet), True
        else:
            if packet.is_keyframe and independent is None:
                independent = bool(_decode_alone(stream, packet))
            starts = packet.is_keyframe and independent
        time, decoded, gap = clock.place(packet)
        if piece and (starts or gap):
            ends = gap.start if gap else time
            piece.moments += sampler.until(ends, "nothing" if gap else "a key frame")
            piece.last = starts
            yield piece
            piece = None if piece.last else Piece(piece.group, piece.number + 1, time)
        if gap:
            yield gap
            sampler.skip_to(gap.end)
        if starts:
            piece = Piece(Group(codec, time), 0, time, [(time, packet)], sampler.at_key_frame(time))
            if piece.moments:  # at once, for a stream that is followed
                piece.last = sampler.only_key_frames
                yield piece
                piece = None if piece.last else Piece(piece.group, 1, time)
        elif piece:
            if decoded >= piece.begin + longest:
                piece.moments += sampler.until(decoded, "more frames")
                yield piece
                piece = Piece(piece.group, piece.number + 1, decoded)
            piece.packets.append((time, packet))
    if piece:
        piece.moments += sampler.until(clock.end, "nothing")
        piece.last = True
        yield piece


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet]:
    """The stream's packets with data; damage in the container is stepped over."""
    errors = 0
    while errors < ERRORS_IN_A_ROW:
        try:
            for packet in container.demux(stream):
                errors = 0
                if packet.size:  # the last one of PyAV is empty
                    yield packet
            return
        except av.error.InvalidDataError:
            errors += 1


def _codec(stream: av.VideoStream, packet: av.Packet) -> Codec:
    """What the decoders of a stream need; the first key frame tells how the picture lies."""
    frames = _decode_alone(stream, packet)
    context = stream.codec_context
    rotation = frames[0].rotation if frames else 0
    return Codec(
        context.codec.name,
        context.codec_tag,
        context.extradata,
        (context.width, context.height),
        context.pix_fmt,
        float(stream.time_base),
        rotation,
    )


def _decode_alone(stream: av.VideoStream, packet: av.Packet) -> list[av.VideoFrame]:
    """The frame of a key frame; none if it is damaged, or needs other frames."""
    try:
        return [*stream.codec_context.decode(packet), *stream.codec_context.decode(None)]
    except av.FFmpegError:
        return []
    finally:
        stream.codec_context.flush_buffers()
