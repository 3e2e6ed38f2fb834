"""Digits and other marks as strokes: lists of points (x, y) in fractions of a square's side."""

from math import cos, radians, sin

Stroke = list[tuple[float, float]]


def arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> Stroke:
    """Part of an ellipse around (x, y); angles in degrees, 0 to the right and 90 downwards."""
    angles = [start + (stop - start) * i / 8 for i in range(9)]
    return [
        (x + width / 2 * cos(radians(angle)), y + height / 2 * sin(radians(angle)))
        for angle in angles
    ]


ROUND: dict[int, list[Stroke]] = {
    0: [arc(0.5, 0.5, 0.4, 0.6, -90, 270)],
    1: [[(0.5, 0.2), (0.5, 0.8)]],
    2: [arc(0.5, 0.37, 0.36, 0.34, -170, 45) + [(0.32, 0.8), (0.7, 0.8)]],
    3: [arc(0.48, 0.35, 0.34, 0.3, -150, 90) + arc(0.48, 0.65, 0.38, 0.3, -90, 150)],
    4: [[(0.36, 0.2), (0.3, 0.55), (0.7, 0.53)], [(0.62, 0.22), (0.58, 0.82)]],
    5: [
        [(0.38, 0.2), (0.36, 0.47)] + arc(0.48, 0.62, 0.34, 0.36, -130, 140),
        [(0.38, 0.2), (0.66, 0.2)],
    ],
    6: [[(0.58, 0.18), (0.42, 0.38)] + arc(0.5, 0.63, 0.32, 0.34, -170, 200)],
    7: [[(0.3, 0.22), (0.68, 0.22), (0.45, 0.8)]],
    8: [arc(0.5, 0.35, 0.28, 0.3, 90, -270) + arc(0.5, 0.65, 0.34, 0.3, -90, 270)],
    9: [arc(0.48, 0.36, 0.3, 0.3, 0, -360) + [(0.62, 0.5), (0.56, 0.82)]],
}
X: list[Stroke] = [[(0.3, 0.2), (0.7, 0.8)], [(0.7, 0.2), (0.3, 0.8)]]
DOT = [[(0.5, 0.5), (0.505, 0.503)]]  # a tap that slips by a pixel or two


def place(strokes: list[Stroke], x: float, y: float, scale: float) -> list[Stroke]:
    """Move the centre (0.5, 0.5) of strokes to (x, y), and scale them."""
    return [
        [(x + scale * (a - 0.5), y + scale * (b - 0.5)) for a, b in stroke] for stroke in strokes
    ]
