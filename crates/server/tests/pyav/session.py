"""PyAV publishes or reads, and tells each packet as a line of JSON.

publish URL VIDEO AUDIO SECONDS: pictures and sound that are made here, as fast as they can be.
read INPUT: a stream, to its end, or a file.
"""

import hashlib
import json
import sys
from fractions import Fraction

import av

# What encoders that need telling are told: to be fast and quiet.
OPTIONS = {
    "libx264": {"preset": "ultrafast", "bf": "2"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libsvtav1": {"preset": "11"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
RATE = 25
SOUND = 48_000
SIZE = (320, 180)


def tell(packet, body):
    """Times in ms, for that is what RTMP has; the hash of what a decoder is given."""
    def ms(value):
        return None if value is None else round(value * packet.time_base * 1000)

    print(json.dumps({
        "kind": packet.stream.type,
        "pts": ms(packet.pts),
        "dts": ms(packet.dts),
        "key": packet.is_keyframe,
        "body": hashlib.md5(body).hexdigest(),
    }))


def pictures(seconds):
    width, height = SIZE
    for number in range(seconds * RATE):
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane in frame.planes:
            row = bytes((x + number * 3) % 256 for x in range(plane.line_size))
            plane.update(row * plane.height)
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield frame


def sounds(seconds, samples):
    for number in range(seconds * SOUND // samples):
        frame = av.AudioFrame("fltp", "stereo", samples)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.sample_rate, frame.time_base = number * samples, SOUND, Fraction(1, SOUND)
        yield frame


def publish(url, video, audio, seconds):
    with av.open(url, "w", format="flv") as output:
        picture = output.add_stream(video, rate=RATE, options=OPTIONS[video])
        picture.width, picture.height, picture.pix_fmt = *SIZE, "yuv420p"
        picture.gop_size = RATE
        sound = output.add_stream(audio, rate=SOUND)
        output.start_encoding()
        samples = sound.codec_context.frame_size or 1024
        frames = [(frame, picture) for frame in pictures(seconds)]
        frames += [(frame, sound) for frame in sounds(seconds, samples)]
        frames.sort(key=lambda one: one[0].pts * one[0].time_base)
        for frame, stream in [*frames, (None, picture), (None, sound)]:
            for packet in stream.encode(frame):
                tell(packet, bytes(packet))
                output.mux(packet)


def read(source):
    with av.open(source) as media:
        for packet in media.demux():
            # The last one of each stream is empty: it flushes decoders.
            if packet.size > 0:
                tell(packet, bytes(packet))


match sys.argv[1:]:
    case ["publish", url, video, audio, seconds]:
        publish(url, video, audio, int(seconds))
    case ["read", source]:
        read(source)
    case _:
        sys.exit(__doc__)
