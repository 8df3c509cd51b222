"""Decoding a group of packets: the key frame alone, or up to a moment and no further."""

from collections import deque
from dataclasses import dataclass

import av

from game_classifier.timeline.packets import Codec, Piece
from game_classifier.timeline.sampling import REORDERING, ROUNDING

MOST_PENDING = 1000  # packets that wait undecoded: bounds the memory where no key frame comes for minutes
# Decoders that can leave out any frame that no other needs, and show a frame for each packet. VP8 hides some frames;
# dav1d, for AV1, takes the choice for a whole video.
SKIPPING = ("h264", "hevc", "mpeg4", "mpeg2video")


@dataclass(frozen=True)
class Look:
    """The result of looking at a moment."""

    time: float
    frame: av.VideoFrame | None  # None: what should be shown then is damaged


def look_at(piece: Piece) -> list[Look]:
    """The frames of the moments of a piece. Pieces of a group wait for each other's turn."""
    group = piece.group
    with group.turn:
        group.turn.wait_for(lambda: group.decoded == piece.number)
        try:
            decoder = group.decoder
            if not isinstance(decoder, _GroupDecoder):
                decoder = group.decoder = _GroupDecoder(group.codec, group.start)
            return decoder.look_at(piece)
        finally:
            group.decoded += 1
            group.turn.notify_all()
            if piece.last:
                group.decoder = None


class _GroupDecoder:
    """Decodes as little as the moments need: frames that neither a moment nor another frame needs are left out."""

    def __init__(self, codec: Codec, start: float) -> None:
        self.codec = codec
        self.start = start
        self.context: av.VideoCodecContext | None = None
        self.pending: deque[tuple[float, av.Packet]] = deque()  # not decoded yet
        self.times: list[float] = []  # of the packets since the last moment
        self.wanted: set[float] = set()  # times of the frames that the moments of a piece show
        self.keep_from = start  # later pieces may want frames from here on
        self.decoded: deque[tuple[float, av.VideoFrame]] = deque()  # after the last moment, in order
        self.shown: tuple[float, av.VideoFrame | None] = (start, None)

    def look_at(self, piece: Piece) -> list[Look]:
        self.pending += piece.packets
        self.times += [time for time, _ in piece.packets]
        self.wanted = {self._shown_at(moment.time) for moment in piece.moments if not moment.key}
        self.keep_from = float("inf") if piece.last else max(self.wanted, default=self.start)
        looks = []
        for moment in piece.moments:
            final = piece.last and moment is piece.moments[-1]
            frame = self._key_frame(piece) if moment.key else self._frame_at(moment.time, piece.last, final)
            looks.append(Look(moment.time, frame))
        self.keep_from = float("inf")  # no moment comes so late
        while len(self.pending) > MOST_PENDING:
            self._decode_next()
        return looks

    def _key_frame(self, piece: Piece) -> av.VideoFrame | None:
        """The key frame by a decoder of its own, since one that was emptied takes no more packets."""
        context = _open(self.codec)
        try:
            frames = [*context.decode(piece.packets[0][1]), *context.decode(None)]
        except av.FFmpegError:
            return None
        return frames[0] if frames and not frames[0].is_corrupt else None

    def _frame_at(self, time: float, last: bool, final: bool) -> av.VideoFrame | None:
        """The frame that is shown at `time`, or None if it is damaged.

        `last`: no packets of the group follow. `final`: no moments either, so the decoder need not go on.
        """
        expected = self._shown_at(time)
        self.times = [each for each in self.times if each >= expected]
        sent = None
        while self.pending and not self._has(expected) and not (final and sent == expected):
            sent = self._decode_next()
        if last and not self._has(expected) and (final or not self.pending):
            self._receive(None)
        while self.decoded and self.decoded[0][0] <= time + ROUNDING:
            self.shown = self.decoded.popleft()
        return self.shown[1] if self.shown[0] >= expected - REORDERING else None

    def _shown_at(self, time: float) -> float:
        """The time of the frame that is shown at `time`; its packet came, see Sampler.until."""
        return max((each for each in self.times if each <= time + ROUNDING), default=self.start)

    def _has(self, time: float) -> bool:
        return bool(self.decoded) and self.decoded[-1][0] >= time - ROUNDING

    def _decode_next(self) -> float:
        """Decode a packet; returns the time of its frame."""
        self.context = self.context or _open(self.codec)
        time, packet = self.pending.popleft()
        if self.codec.name in SKIPPING:
            self.context.skip_frame = "DEFAULT" if time in self.wanted or time >= self.keep_from else "NONREF"
        self._receive(packet)
        return time

    def _receive(self, packet: av.Packet | None) -> None:
        self.context = self.context or _open(self.codec)
        try:
            frames = self.context.decode(packet)
        except av.FFmpegError:  # damaged; the next ones may be whole
            return
        for frame in frames:
            if frame.pts is None or frame.is_corrupt:
                continue
            time = frame.pts * self.codec.tick
            if time >= self.start - ROUNDING:  # earlier ones of an open group lack what they were predicted from
                self.decoded.append((time, frame))


def _open(codec: Codec) -> av.VideoCodecContext:
    context = av.CodecContext.create(codec.name, "r")
    context.extradata = codec.extradata
    context.codec_tag = codec.tag
    context.width, context.height = codec.size
    if codec.pixel_format:
        context.pix_fmt = codec.pixel_format
    if codec.name == "h264":  # where it does not tell how far frames are reordered: as far as they may be
        context.options = {"strict": "strict"}
    context.thread_count = 1  # a group runs in one thread; other threads run other groups
    return context
