"""Draws screens without a game: desktops, text, menus, charts, test pictures; a `game` is a kind of screen."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1280, 720  # pixels
SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo za an el is or un qua str"  # words of no language
MENU = ["PLAY", "CONTINUE", "OPTIONS", "FIND MATCH", "LOBBY", "INVENTORY", "STORE", "CREDITS", "QUIT", "PROFILE"]
NOTICES = ["STARTING SOON", "BE RIGHT BACK", "STREAM OFFLINE", "LOADING...", "THANKS FOR WATCHING", "PLEASE WAIT"]
FONTS = {size: ImageFont.load_default(size=size) for size in (11, 14, 18, 24, 34, 56, 90)}


def play(game, random):
    """Yield a new screen of the kind `game` at each step."""
    while True:
        screen = Screen(random)
        DRAWINGS[game](screen)
        yield lambda screen=screen: screen.image


class Screen:
    """A picture to draw on, with a palette of its own: light or dark, and one accent colour."""

    def __init__(self, random):
        self.random = random
        self.dark = random.random() < 0.5
        self.paper = tuple(int(v) for v in (random.integers(8, 60, 3) if self.dark else random.integers(205, 256, 3)))
        self.ink = tuple(int(v) for v in (random.integers(190, 256, 3) if self.dark else random.integers(0, 70, 3)))
        self.accent = self.colour()
        self.image = Image.new("RGB", (WIDTH, HEIGHT), self.paper)
        self.draw = ImageDraw.Draw(self.image)

    def colour(self):
        """Any colour."""
        return tuple(int(v) for v in self.random.integers(0, 256, 3))

    def shade(self):
        """A colour near the paper's."""
        return tuple(int(np.clip(v + self.random.integers(-30, 31), 0, 255)) for v in self.paper)

    def between(self, low, high):
        """A whole number, `low` to `high`."""
        return int(self.random.integers(low, high + 1))

    def word(self):
        """One to four syllables."""
        return "".join(self.random.choice(SYLLABLES.split(), self.between(1, 4)))

    def words(self, count):
        """A sentence."""
        return " ".join(self.word() for _ in range(count)).capitalize()

    def write(self, x, y, text, size=18, colour=None):
        """Text with its left top corner at x, y."""
        self.draw.text((x, y), text, fill=colour or self.ink, font=FONTS[size])

    def paragraph(self, box, size=18):
        """Lines of words that fill `box`, cut off at its right edge."""
        left, top, right, bottom = box
        for y in range(top, bottom - size, round(size * 1.4)):
            line = self.words(self.between(3, 14)) if self.random.random() < 0.93 else ""
            while line and self.draw.textlength(line, font=FONTS[size]) > right - left:
                line = line.rpartition(" ")[0]
            self.write(left, y, line, size)

    def noise(self, amount):
        """Add grey noise with a standard deviation of `amount`."""
        pixels = np.asarray(self.image, np.float32) + self.random.normal(0, amount, (HEIGHT, WIDTH, 1))
        self.image.paste(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def gradient(screen):
    """Fill the picture with a gradient between two colours, in any direction."""
    angle = screen.random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    share = x * np.cos(angle) + y * np.sin(angle)
    share = (share - share.min()) / np.ptp(share)
    pixels = share[..., None] * screen.colour() + (1 - share[..., None]) * np.array(screen.colour())
    screen.image.paste(Image.fromarray(pixels.astype(np.uint8)))


def windows(screen):
    """A desktop: wallpaper, icons, one to four windows with text, a task bar."""
    gradient(screen)
    for number in range(screen.between(0, 14)):
        x, y = 24 + 90 * (number // 7), 20 + 90 * (number % 7)
        screen.draw.rounded_rectangle((x, y, x + 48, y + 48), 8, fill=screen.colour())
        screen.write(x - 6, y + 52, screen.word()[:9], 11, (255, 255, 255))
    for _ in range(screen.between(1, 4)):
        width, height = screen.between(320, 900), screen.between(220, 560)
        x, y = screen.between(0, WIDTH - width), screen.between(0, HEIGHT - height)
        window(screen, (x, y, x + width, y + height))
    screen.draw.rectangle((0, HEIGHT - 40, WIDTH, HEIGHT), fill=screen.shade())
    for number in range(screen.between(3, 9)):
        screen.draw.rounded_rectangle(
            (60 * number + 12, HEIGHT - 35, 60 * number + 42, HEIGHT - 5), 5, fill=screen.colour()
        )
    screen.write(WIDTH - 70, HEIGHT - 30, f"{screen.between(0, 23):02}:{screen.between(0, 59):02}", 18)


def window(screen, box):
    """A window with a title bar and buttons; its content is text, a picture or a list of buttons."""
    left, top, right, bottom = box
    screen.draw.rectangle(box, fill=screen.paper, outline=screen.ink)
    screen.draw.rectangle((left, top, right, top + 30), fill=screen.accent)
    screen.write(left + 10, top + 5, screen.words(3), 14, (255, 255, 255))
    for number in range(3):
        screen.draw.ellipse(
            (right - 24 * number - 22, top + 8, right - 24 * number - 8, top + 22), fill=screen.colour()
        )
    content = screen.random.choice(["text", "picture", "buttons"])
    if content == "text":
        screen.paragraph((left + 14, top + 44, right - 14, bottom), 14)
    elif content == "picture":
        shapes(screen, (left + 14, top + 44, right - 14, bottom - 14))
    else:
        for y in range(top + 50, bottom - 40, 44):
            screen.draw.rounded_rectangle(
                (left + 20, y, left + 190, y + 32), 6, fill=screen.shade(), outline=screen.ink
            )
            screen.write(left + 32, y + 6, screen.word(), 14)


def shapes(screen, box):
    """Ellipses and rectangles inside `box`."""
    left, top, right, bottom = box
    for _ in range(screen.between(4, 25)):
        x, y = sorted(screen.random.uniform(left, right, 2)), sorted(screen.random.uniform(top, bottom, 2))
        shape = screen.draw.ellipse if screen.random.random() < 0.5 else screen.draw.rectangle
        shape((x[0], y[0], x[1], y[1]), fill=screen.colour())


def editor(screen):
    """Source code: a tree of files, line numbers, indented lines in several colours."""
    screen.draw.rectangle((0, 0, 220, HEIGHT), fill=screen.shade())
    for row in range(screen.between(8, 26)):
        screen.write(16 + 16 * screen.between(0, 2), 40 + 24 * row, screen.word(), 14)
    colours, indent = [screen.colour() for _ in range(4)], 0
    for row in range(34):
        y = 12 + 20 * row
        screen.write(232, y, str(row + 1), 14, screen.accent)
        indent = int(np.clip(indent + screen.between(-1, 1), 0, 6))
        x = 280 + 28 * indent
        for _ in range(screen.between(0, 8)):
            text = screen.word() + str(screen.random.choice(["", "", "(", ")", " =", ":", ".", ","]))
            screen.write(x, y, text, 14, colours[screen.between(0, 3)] if screen.random.random() < 0.6 else screen.ink)
            x += screen.draw.textlength(text + " ", font=FONTS[14])


def page(screen):
    """A page of text: heading, one to three columns, a picture."""
    screen.write(60, 30, screen.words(screen.between(2, 5)), 56)
    columns = screen.between(1, 3)
    width = (WIDTH - 120) // columns
    for column in range(columns):
        left = 60 + column * width
        screen.paragraph((left, 120, left + width - 30, HEIGHT), int(screen.random.choice([14, 18, 24])))
    if screen.random.random() < 0.6:
        x, y = screen.between(100, 700), screen.between(150, 400)
        screen.draw.rectangle((x, y, x + 420, y + 260), fill=screen.paper)
        shapes(screen, (x + 10, y + 10, x + 410, y + 250))


def menu(screen):
    """A title and a column of entries, one of them chosen."""
    if screen.random.random() < 0.6:
        gradient(screen)
    left = screen.between(60, 700)
    screen.write(left, 60, " ".join(screen.word().upper() for _ in range(2)), 90, screen.accent)
    entries = screen.random.permutation(MENU)[: screen.between(3, 8)]
    chosen = screen.between(0, len(entries) - 1)
    for number, entry in enumerate(entries):
        y = 210 + 60 * number
        if number == chosen:
            screen.draw.rectangle((left - 20, y - 6, left + 340, y + 44), fill=screen.accent)
        screen.write(left, y, str(entry), 34)


def chart(screen):
    """A chart with axes: bars, lines or points."""
    screen.write(80, 20, screen.words(4), 34)
    for y in range(100, 641, 90):
        screen.draw.line((80, y, 1220, y), fill=screen.shade())
        screen.write(20, y - 10, str(screen.between(0, 999)), 14)
    kind, count = screen.random.choice(["bars", "lines", "points"]), screen.between(5, 40)
    x = np.linspace(90, 1210, count)
    for _ in range(1 if kind == "bars" else screen.between(1, 5)):
        y = np.clip(370 + np.cumsum(screen.random.normal(0, 60, count)), 100, 635)
        colour = screen.colour()
        if kind == "lines":
            screen.draw.line(list(zip(x, y, strict=True)), fill=colour, width=3)
        for px, py in zip(x, y, strict=True):
            if kind == "bars":
                screen.draw.rectangle((px, py, px + 700 / count, 640), fill=colour)
            elif kind == "points":
                screen.draw.ellipse((px - 5, py - 5, px + 5, py + 5), fill=colour)
    screen.draw.line((80, 90, 80, 640, 1220, 640), fill=screen.ink, width=2)


def chat(screen):
    """Messages in bubbles, left and right, with a list of people."""
    screen.draw.rectangle((0, 0, 300, HEIGHT), fill=screen.shade())
    for row in range(9):
        y = 20 + 76 * row
        screen.draw.ellipse((18, y, 66, y + 48), fill=screen.colour())
        screen.write(80, y + 4, screen.words(2)[:20], 18)
    y = 20
    while y < HEIGHT - 80:
        text = screen.words(screen.between(2, 9))
        width = screen.draw.textlength(text, font=FONTS[18]) + 40
        own = screen.random.random() < 0.4
        left = WIDTH - 30 - width if own else 330
        screen.draw.rounded_rectangle(
            (left, y, left + width, y + 46), 18, fill=screen.accent if own else screen.shade()
        )
        screen.write(left + 20, y + 11, text, 18)
        y += screen.between(54, 84)


def table(screen):
    """A sheet of numbers."""
    row, column = screen.between(22, 40), screen.between(70, 190)
    screen.draw.rectangle((0, 0, WIDTH, row), fill=screen.accent)
    for x in range(0, WIDTH, column):
        screen.draw.line((x, 0, x, HEIGHT), fill=screen.shade())
        screen.write(x + 6, 3, screen.word()[:9], 14)
        for y in range(row, HEIGHT, row):
            screen.write(x + 6, y + 3, f"{screen.random.normal(0, 999):.1f}", 14)
    for y in range(row, HEIGHT, row):
        screen.draw.line((0, y, WIDTH, y), fill=screen.shade())


def notice(screen):
    """What a stream shows while nothing happens: one line on a gradient, shapes or noise."""
    gradient(screen)
    if screen.random.random() < 0.5:
        shapes(screen, (0, 0, WIDTH, HEIGHT))
    screen.write(
        screen.between(40, 400), screen.between(80, 500), str(screen.random.choice(NOTICES)), 90, (255, 255, 255)
    )
    screen.noise(screen.random.uniform(0, 20))


def dialog(screen):
    """A form of settings: labels, sliders, boxes and fields."""
    screen.write(60, 24, screen.words(2), 34)
    for row in range(screen.between(6, 12)):
        y = 90 + 50 * row
        screen.write(60, y, screen.words(2), 18)
        kind = screen.between(0, 2)
        if kind == 0:
            knob = screen.between(520, 1000)
            screen.draw.line((500, y + 12, 1020, y + 12), fill=screen.ink, width=4)
            screen.draw.ellipse((knob - 12, y, knob + 12, y + 24), fill=screen.accent)
        elif kind == 1:
            screen.draw.rectangle((500, y, 524, y + 24), fill=screen.accent, outline=screen.ink)
        else:
            screen.draw.rectangle((500, y - 4, 900, y + 28), outline=screen.ink)
            screen.write(510, y, screen.words(2)[:30], 18)


def pattern(screen):
    """A test picture: bars, checks, stripes or noise alone."""
    kind = screen.between(0, 3)
    if kind == 0:
        count = screen.between(4, 12)
        for number in range(count):
            screen.draw.rectangle(
                (number * WIDTH / count, 0, (number + 1) * WIDTH / count, HEIGHT), fill=screen.colour()
            )
    elif kind == 1:
        side, colour = screen.between(16, 160), screen.colour()
        for x in range(0, WIDTH, side):
            for y in range(0, HEIGHT, side):
                if (x + y) // side % 2:
                    screen.draw.rectangle((x, y, x + side, y + side), fill=colour)
    elif kind == 2:
        wave = (
            np.sin(np.linspace(0, screen.between(3, 60), WIDTH))[None]
            * np.sin(np.linspace(0, screen.between(3, 60), HEIGHT))[:, None]
        )
        pixels = (wave[..., None] + 1) / 2 * screen.colour()
        screen.image.paste(Image.fromarray(pixels.astype(np.uint8)))
    screen.noise(screen.random.uniform(0, 90))


DRAWINGS = {
    drawing.__name__: drawing for drawing in (windows, editor, page, menu, chart, chat, table, notice, dialog, pattern)
}
