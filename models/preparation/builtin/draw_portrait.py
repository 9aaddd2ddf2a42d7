#!/usr/bin/env python3
# ruff: noqa
# fmt: off
# mypy: ignore-errors
"""Original avatar portrait, made only by code (no photograph, scan, model or data set).

Method: face, neck and clothes are one sculpted height field z(x,y) (sums of analytic
bumps and creases), lit by a soft key light, a cool fill and a rim, with ray-marched soft
shadows and occlusion and per-channel blurred normals (a cheap skin-scattering look).
Eyes are painted analytically; brows, lashes and hair are thousands of vector strands
(skia), the hair in overlapping wavy locks on two guided sheets.  The sculpture itself is
symmetric: liven() bends the finished picture a little (brow, lip corner, chin, 1 degree of
tilt) and frame() zooms to the head.  Everything is deterministic.

    python draw_portrait.py                  # portrait.png, portrait_eyes.png and portrait_contours.json
    python draw_portrait.py --jaw .5 --blink 0 --spread -.5 --out x.png     (--ss 1: preview)
portrait_eyes.png: the part of the picture that a blink changes, EYES_BOX, one below the other
for each of EYES_CLOSED (how closed the eyes are).
portrait_contours.json holds the drawn lid, lip and jaw curves in output pixels, to correct
face landmarks that a detector places only approximately.
Needs: numpy, scipy, opencv-python-headless, skia-python.
All coordinates are in a 1024 x 1024 design space; S is the supersampling factor.
"""
import argparse, json, os
import cv2, numpy as np, skia
from scipy.interpolate import CubicSpline, PchipInterpolator, RectBivariateSpline

N, CX = 1024, 512.0
f32 = np.float32

# ---------------------------------------------------------------- helpers
def lin(c):                                   # sRGB 0..255 (or '#rrggbb') -> linear
    if isinstance(c, str): c = [int(c[i:i + 2], 16) for i in (1, 3, 5)]
    c = np.asarray(c, f32) / 255
    return np.where(c <= .04045, c / 12.92, ((c + .055) / 1.055) ** 2.4).astype(f32)
def srgb(c):
    c = np.clip(c, 0, 1)
    return np.where(c <= .0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - .055)
def ss(a, b, x):                              # smoothstep, a may exceed b
    t = np.clip((x - a) / (b - a), 0, 1); return t * t * (3 - 2 * t)
def g(x, y, cx, cy, sx, sy, rot=0.0):         # rotated gaussian bump
    dx, dy = x - cx, y - cy
    if rot:
        c, s = np.cos(rot), np.sin(rot); dx, dy = c * dx + s * dy, -s * dx + c * dy
    return np.exp(-(dx / sx) ** 2 - (dy / sy) ** 2).astype(f32)
def blur(im, s): return cv2.GaussianBlur(im, (0, 0), s, borderType=cv2.BORDER_REPLICATE) if s > .2 else im
def mix(a, b, t): return a + (b - a) * t
def mixc(img, col, m): return img + (np.asarray(col, f32) - img) * m[..., None]
def curve(pts, kind=CubicSpline):             # y = f(x) through points, clamped outside
    p = np.array(pts, float); c = kind(p[:, 0], p[:, 1])
    return lambda x: c(np.clip(x, p[0, 0], p[-1, 0])).astype(f32)
def noise(rng, shape, s, S):                  # unit-variance gaussian noise of scale s px
    k = max(1, int(s * S / 3)); sm = rng.standard_normal((shape[0] // k + 8, shape[1] // k + 8)).astype(f32)
    sm = blur(sm, s * S / k)
    sm = cv2.resize(sm, None, fx=k, fy=k, interpolation=cv2.INTER_CUBIC)[:shape[0], :shape[1]]
    return (sm - sm.mean()) / sm.std()

# ---------------------------------------------------------------- anatomy curves (a = |x - centre|)
MOUTH_A = 57.0                                # half mouth width
y_mid = curve([(0, 609.6), (8, 609.2), (20, 608.2), (34, 606.4), (46, 601.6), (57, 594.2)])
y_up = curve([(0, 592.4), (5, 590.6), (11.5, 587.6), (22, 589.8), (36, 594.2), (48, 595.8), (57, 594.2)], PchipInterpolator)
y_lo = curve([(0, 635.4), (12, 634.8), (25, 630.4), (38, 620), (49, 606.6), (57, 594.2)], PchipInterpolator)
lid_u = curve([(35, 450), (41, 442.6), (53, 432.4), (70, 427.6), (87, 428.2), (101, 433.4), (112, 441)])
lid_l = curve([(35, 450), (45, 453.6), (59, 456.6), (76, 457.9), (92, 455), (104, 449.2), (112, 441)])
EYE = (74.0, 440.6)                           # iris centre
crease = curve([(34, 441), (44, 430), (58, 419), (73, 414.5), (90, 415.5), (106, 424), (118, 435)])
# head outline: polar radius about (512, 440), angle measured from straight down
HC = 440.0
_out = [(0, 711), (20, 710), (41, 702), (62, 687), (88, 661), (114, 630), (133, 596), (147, 553), (157, 503),
        (164, 450), (165, 400), (161, 345), (149, 285), (123, 230), (77, 188), (35, 173), (0, 170)]
_o = np.array(_out, float); _th = np.arctan2(_o[:, 0], _o[:, 1] - HC)
head_r = PchipInterpolator(np.r_[-_th[1:4][::-1], _th], np.r_[np.hypot(_o[1:4, 0], _o[1:4, 1] - HC)[::-1], np.hypot(_o[:, 0], _o[:, 1] - HC)])

EM = .11                                      # the eyes are magnified a little by a local warp
def eye_fwd(a, y):
    k = 1 + EM * g(a, y, 74, 441, 54, 40); return 74 + (a - 74) * k, 441 + (y - 441) * k
def unwarp(x, y, jaw, spread):
    """Output pixel -> neutral-pose coordinates, plus the open-mouth gap mask (signed px)."""
    u, sg = x - CX, np.sign(x - CX)
    fall = g(u, y, 0, 612 + 12 * jaw, 88, 58) * ss(124, 70, np.abs(u))
    w = .17 * spread if spread > 0 else .37 * spread       # corners move in when puckered or wide open
    u = u / (1 + (w - .13 * jaw) * fall)
    Y = 608 + (y - 608) / (1 - .16 * min(spread, 0) * g(u, y, 0, 610, 60, 34))
    a = np.abs(u)
    up, J = 3.0 * jaw, 41.0 * jaw
    aw = (MOUTH_A - 3) * (1 + .20 * min(spread, 0))             # half width of the opening
    p = np.clip(1 - (a / aw) ** 2, 0, 1) ** (.58 - .12 * min(spread, 0))
    lat = np.exp(-(a / 165) ** 4)
    ym = y_mid(a)
    d = lambda yy: J * mix(p, lat, ss(ym, ym + 105, yy))
    top, bot = ym - up * p, ym + J * p                     # gap edges in output space
    yy = np.maximum(Y, ym)
    for _ in range(14): yy = np.maximum(.5 * yy + .5 * (Y - d(yy)), ym - .01)
    Yu = np.where(Y < top, Y + up * p * ss(560, 600, Y), ym)
    Yn = np.where(Y > (top + bot) / 2, yy, np.minimum(Yu, ym))
    k = 1 / (1 + EM * g(a, Yn, 74, 441, 54, 40))
    u = np.where(a < 1, u, np.sign(u) * (74 + (a - 74) * mix(1, k, ss(0, 24, a)))); Yn = 441 + (Yn - 441) * k
    gap = np.minimum(Y - top, bot - Y) if jaw > 0 else np.full_like(x, -9)
    gap = np.where(a < aw, gap, -9)
    return u, Yn.astype(f32), gap.astype(f32), top, bot, Y

# ---------------------------------------------------------------- height field of the face
def face_height(u, y, blink):
    a = np.abs(u)
    th = np.arctan2(a, y - HC)
    r = head_r(th).astype(f32); d = np.hypot(a, y - HC); t = d / r
    z = 178 * np.sqrt(np.clip(1 - np.clip(t, 0, 1) ** 2.55, 0, 1))
    edge = (r - d)
    # brow, sockets, eyeballs
    z += 8 * g(a, y, 72, 394, 56, 17, -.10) + 3 * g(a, y, 0, 392, 24, 20)
    z -= 15 * g(a, y, 62, 424, 44, 20) + 9 * g(a, y, 33, 434, 13, 20) + 4 * g(a, y, 112, 440, 14, 16)
    z += 15 * g(a, y, 75, 445, 34, 24)
    yc = crease(a)
    win = ss(34, 46, a) * ss(122, 104, a)
    z -= win * (1 - .55 * blink) * 3.2 * np.exp(-((y - yc) / 2.6) ** 2)           # lid crease
    z += win * 1.6 * np.exp(-((y - yc + 8) / 6) ** 2)
    z -= ss(40, 56, a) * ss(112, 92, a) * 0.6 * np.exp(-((y - lid_l(a) - 11) / 5) ** 2)   # lower lid fold
    z += ss(38, 52, a) * ss(114, 96, a) * 1.5 * np.exp(-((y - lid_l(a) - 4.5) / 3.5) ** 2)
    # cheeks, temple, jaw hollow, nasolabial
    z += 16.5 * g(a, y, 96, 503, 44, 38) + 6 * g(a, y, 128, 474, 32, 24, .4)
    z -= 6 * g(a, y, 118, 578, 26, 40, .35) + 7 * g(a, y, 160, 372, 20, 48)
    nl = 39 + (y - 545) * .55
    z -= 2.5 * np.exp(-((a - nl - 2) / 9) ** 2) * ss(538, 560, y) * ss(612, 572, y)
    # nose: bridge ridge, tip, wings, columella, nostrils
    hb = np.interp(y, [392, 412, 428, 450, 500, 530, 546, 561, 572], [0, 3, 8, 14, 28, 35, 31, 9, 0]).astype(f32)
    hb = blur(hb, 2.0)
    wb = np.interp(y, [390, 430, 470, 510, 535, 570], [24, 19, 20, 23.5, 26, 26]).astype(f32)
    z += hb * np.exp(-(np.abs(u) / wb) ** 2.3)
    z += 8 * g(a, y, 0, 500, 36, 44) * ss(566, 545, y) - 2.5 * g(a, y, 0, 510, 15, 9)
    z += 15 * g(a, y, 0, 534, 19, 15) + 3 * g(a, y, 8, 536, 9, 10)
    z += 24 * g(a, y, 29.5, 545.5, 10.5, 11) + 7 * g(a, y, 0, 553, 7, 9) - 4 * g(a, y, 17, 540, 5, 9)
    z -= 5.0 * np.exp(-((np.hypot((a - 28) * .95, y - 545) - 14.5) / 3.2) ** 2) * ss(22, 32, a) * ss(528, 540, y) * ss(566, 556, y)
    z -= 7 * g(a, y, 15, 557, 7.5, 3.2, -.2)
    # muzzle, philtrum, chin
    z += 13 * g(a, y, 0, 604, 66, 46) + 15 * g(a, y, 0, 682, 36, 25) - 7 * g(a, y, 0, 647, 34, 8.5)
    z += -2.4 * g(a, y, 0, 579, 5, 13) + 1.6 * g(a, y, 9, 579, 4.5, 14)
    # lips
    ym, yu, yl = y_mid(a), y_up(a), y_lo(a)
    lw = ss(MOUTH_A + 1, MOUTH_A - 24, a)
    tu = np.clip((y - yu) / np.maximum(ym - yu, 1), 0, 1); tl = np.clip((y - ym) / np.maximum(yl - ym, 1), 0, 1)
    upb = np.clip(np.sin(np.pi * tu ** 1.25), 0, 1) ** .9 * (6.0 + 2.2 * g(a, y, 0, 606, 12, 40)) * lw * (y < ym)
    lob = np.clip(np.sin(np.pi * tl ** .72), 0, 1) ** .85 * (10.5 - 1.5 * g(a, y, 0, 620, 6, 40)) * lw * (y >= ym)
    z += blur((upb + lob).astype(f32), 1.6)
    inm = ss(MOUTH_A + 3, MOUTH_A - 4, a)
    z -= 5 * inm * np.exp(-((y - ym) / 2.4) ** 2)
    z += 1.3 * ss(MOUTH_A - 6, 20, a) * np.exp(-((y - yu + 1) / 2.2) ** 2)                 # vermilion rim
    z -= 5 * g(a, y, MOUTH_A + 2.5, 596, 6, 7) - 3.4 * g(a, y, MOUTH_A + 14, 594, 10, 15)
    z -= 3.5 * g(a, y, 0, 640, 26, 5)
    return z.astype(f32), edge.astype(f32), t

# ---------------------------------------------------------------- neck, chest, clothes
def body(x, y, S):
    u = x - CX; a = np.abs(u)
    wn = np.interp(y, [560, 640, 700, 760, 800, 840, 880], [84, 82, 80, 84, 96, 124, 190]).astype(f32)
    zn = -182 + 78 * np.sqrt(np.clip(1 - (a / wn) ** 2.2, 0, 1))
    zn += 5 * np.exp(-((a - mix(66, 14, ss(690, 838, y))) / 11) ** 2) * ss(690, 740, y) * ss(850, 825, y)  # SCM
    zn -= 5 * g(a, y, 0, 848, 20, 16)                                              # jugular notch
    trap = np.interp(a, [0, 80, 104, 140, 190, 250, 310, 360, 400, 440, 520], [778, 782, 789, 806, 824, 838, 856, 880, 914, 962, 1100])
    zs = -205 + 95 * np.sqrt(np.clip((y - trap) / 210, 0, 1)) - 55 * ss(150, 460, a)
    zs += 9 * np.exp(-((y - (852 + .02 * a + 6 * np.sin(a / 32))) / 8) ** 2) * ss(10, 34, a) * ss(190, 120, a)  # collarbone
    z = np.maximum(zn, zs); z = z + 6 * np.exp(-((zn - zs) / 14) ** 2)
    sil = np.maximum(wn - a, (y - trap) * .8)
    skin_m = np.clip(sil * S + .5, 0, 1) * (y > 560)
    return z.astype(f32), skin_m.astype(f32), trap.astype(f32)

def poly_mask(S, pts, smooth=True, sigma=0):
    """Anti-aliased mask of a closed smooth (Catmull-Rom) outline."""
    srf = skia.Surface(N * S, N * S); c = srf.getCanvas(); c.clear(0xff000000); c.scale(S, S)
    p = np.array(pts, float); path = skia.Path(); path.moveTo(*p[0]); n = len(p)
    if smooth:
        for i in range(n):
            p0, p1, p2, p3 = p[i - 1], p[i], p[(i + 1) % n], p[(i + 2) % n]
            path.cubicTo(*(p1 + (p2 - p0) / 6), *(p2 - (p3 - p1) / 6), *p2)
    else:
        for q in p[1:]: path.lineTo(*q)
    path.close(); c.drawPath(path, skia.Paint(AntiAlias=True, Color=0xffffffff))
    m = srf.toarray()[..., 0].astype(f32) / 255
    return blur(m, sigma * S) if sigma else m
def mirror(pts): return [(2 * CX - x, y) for x, y in pts]

# ---------------------------------------------------------------- light transport on a height field
def shift(z, dx, dy):
    return cv2.warpAffine(z, np.float32([[1, 0, -dx], [0, 1, -dy]]), (z.shape[1], z.shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
def visibility(z, L, reach, soft, n, jitter, rng):
    """Soft shadow: fraction of an area light seen by each texel of z (z in texels)."""
    acc = np.zeros_like(z)
    for i in range(n):
        v = np.array(L) + rng.normal(0, jitter, 3); v /= np.linalg.norm(v)
        h = np.hypot(v[0], v[1]); dx, dy, sl = v[0] / h, v[1] / h, max(v[2] / h, .15)
        occ = np.full_like(z, -99); k = 1.5
        while k < reach:
            occ = np.maximum(occ, shift(z, dx * k, dy * k) - z - sl * k); k *= 1.16; k += .5
        acc += ss(soft, -soft * .3, occ)
    return acc / n
def occlusion(z, reach):
    acc, n = np.zeros_like(z), 16
    for i in range(n):
        dx, dy = np.cos(2 * np.pi * i / n), np.sin(2 * np.pi * i / n); s = np.zeros_like(z); k = 1.5
        while k < reach:
            s = np.maximum(s, (shift(z, dx * k, dy * k) - z) / np.hypot(k, 2) * (1 - (k / reach) ** 2)); k = k * 1.35 + .5
        acc += 1 - s / np.sqrt(1 + s * s)
    return acc / n
def normals(z, S):
    gx = cv2.Sobel(z, cv2.CV_32F, 1, 0, ksize=3) / 8 * S; gy = cv2.Sobel(z, cv2.CV_32F, 0, 1, ksize=3) / 8 * S
    n = 1 / np.sqrt(1 + gx * gx + gy * gy); return -gx * n, -gy * n, n

# ---------------------------------------------------------------- vector strands (skia)
class Strands:
    """A transparent sRGB layer that collects tapered, colour-graded hair strokes."""
    def __init__(s, S):
        s.arr = np.zeros((N * S, N * S, 4), np.uint8)
        s.srf = skia.Surface(s.arr); s.c = s.srf.getCanvas(); s.c.clear(0); s.c.scale(S, S)
    def stroke(s, pts, cols, w, alpha, cap=True):
        """pts (n,2); cols (n,3) 0..1; alpha (n,) - colours follow the projection on the stroke's main axis."""
        p = skia.Path(); n = len(pts); p.moveTo(*map(float, pts[0]))
        for i in range(1, n - 1):
            m = (pts[i] + pts[i + 1]) / 2; p.quadTo(*map(float, pts[i]), *map(float, m))
        p.lineTo(*map(float, pts[-1]))
        d = np.diff(pts, axis=0); d /= np.hypot(d[:, 0], d[:, 1])[:, None] + 1e-6; k = max(n // 4, 1)
        ax = d[:k].mean(0) + d[k:].mean(0); ax /= np.hypot(*ax) + 1e-6; q = (pts - pts[0]) @ ax; L = max(q.max(), 1e-3)
        q = np.maximum.accumulate(np.clip(q / L, 0, 1) + np.arange(n) * 1e-5); q = q / q[-1]
        cc = (np.c_[np.clip(alpha, 0, 1), np.clip(cols, 0, 1)] * 255).astype(int)
        sh = skia.GradientShader.MakeLinear([skia.Point(*map(float, pts[0])), skia.Point(*map(float, pts[0] + ax * L))],
                                            [skia.ColorSetARGB(*map(int, k)) for k in cc], [float(k) for k in q])
        s.c.drawPath(p, skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=float(w), Shader=sh,
                                   StrokeCap=skia.Paint.kRound_Cap if cap else skia.Paint.kButt_Cap))
    def hair(s, pts, w0, col, alpha):
        """One tapered hair (brow, lash) as a filled sliver of root width w0."""
        d = np.gradient(pts, axis=0); nrm = np.c_[-d[:, 1], d[:, 0]] / (np.hypot(d[:, 0], d[:, 1])[:, None] + 1e-6)
        w = w0 / 2 * np.linspace(1, .08, len(pts))[:, None]
        poly = np.r_[pts + nrm * w, (pts - nrm * w)[::-1]]
        p = skia.Path(); p.addPoly([skia.Point(*map(float, k)) for k in poly], True)
        s.c.drawPath(p, skia.Paint(AntiAlias=True, Color=skia.ColorSetARGB(int(255 * alpha), *[int(v) for v in col])))
    def layer(s):                              # -> (straight sRGB rgb, alpha)
        s.srf.flushAndSubmit() if hasattr(s.srf, 'flushAndSubmit') else None
        a = s.srf.toarray(colorType=skia.kRGBA_8888_ColorType).astype(f32) / 255
        return a[..., :3], a[..., 3]

HAIR = np.array([[24, 14, 11], [54, 31, 21], [92, 55, 35], [142, 91, 58], [200, 146, 101], [238, 202, 162]], float) / 255
def hair_col(v):
    v = np.clip(v, 0, 1) * (len(HAIR) - 1); i = np.minimum(v.astype(int), len(HAIR) - 2); return mix(HAIR[i], HAIR[i + 1], (v - i)[..., None])
# Guides of the hair sheets, root -> tip; row 0 lies along the face, the last row is the silhouette.
G_LEFT = [[(573, 275), (524, 277), (460, 299), (405, 350), (371, 426), (361, 510), (358, 600), (346, 690), (333, 778), (344, 852), (370, 896)],
          [(567, 228), (502, 219), (424, 256), (370, 334), (341, 432), (329, 530), (318, 630), (306, 725), (301, 804), (318, 876), (352, 918)],
          [(560, 186), (482, 173), (402, 217), (345, 312), (315, 432), (302, 535), (289, 640), (275, 735), (270, 818), (292, 894), (336, 936)],
          [(552, 145), (478, 138), (390, 180), (323, 288), (294, 418), (279, 530), (265, 640), (246, 738), (240, 824), (260, 900), (300, 944)]]
G_RIGHT = [[(575, 275), (605, 278), (636, 306), (656, 359), (667, 430), (672, 515), (678, 600), (692, 690), (702, 768), (692, 842), (660, 888)],
           [(569, 228), (615, 219), (661, 259), (689, 338), (701, 440), (705, 540), (711, 630), (726, 722), (733, 796), (722, 868), (690, 910)],
           [(562, 186), (622, 175), (677, 219), (710, 318), (723, 437), (731, 540), (741, 640), (758, 732), (766, 808), (756, 880), (726, 924)],
           [(553, 145), (622, 138), (690, 184), (730, 296), (744, 420), (753, 535), (766, 640), (788, 738), (799, 816), (790, 890), (764, 936)]]
def guide_sheet(G, m=60):
    """Smooth map (s across the sheet 0..1, t root..tip 0..1) -> point."""
    out = []
    for pts in G:
        p = np.array(pts, float); k = np.r_[0, np.cumsum(np.hypot(*np.diff(p, axis=0).T))]
        out.append(CubicSpline(k / k[-1], p)(np.linspace(0, 1, m)))
    q = np.array(out); s, t = np.linspace(0, 1, len(G)), np.linspace(0, 1, m)
    X, Y = (RectBivariateSpline(s, t, q[..., i], kx=3, ky=3) for i in (0, 1))
    def F(sv, tv):                             # s beyond the sheet is extrapolated linearly (flyaways)
        sc = np.clip(sv, 0, 1); ex = (sv - sc)[:, None]; p = np.c_[X.ev(sc, tv), Y.ev(sc, tv)]
        return p + ex * np.c_[X.ev(sc, tv, dx=1), Y.ev(sc, tv, dx=1)]
    return F
def hair_layers(S, rng):
    """Returns (back hair layer, front hair layer)."""
    back = Strands(S); front = Strands(S); m = 54; FQ = 19.5; T = np.linspace(0, 1, m)
    # dark mass behind neck and jaw
    p = skia.Path(); pts = [(330, 420), (300, 600), (268, 740), (276, 850), (340, 880), (420, 850), (512, 838), (604, 850), (684, 880), (750, 850), (764, 740), (726, 600), (694, 420)]
    p.addPoly([skia.Point(*k) for k in pts], True)
    back.c.drawPath(p, skia.Paint(AntiAlias=True, Color=skia.ColorSetARGB(255, 22, 13, 11), MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 7)))
    for i in range(1000):
        x0 = rng.uniform(300, 724); s = (x0 - 512) / 212; yy = np.linspace(rng.uniform(470, 600), rng.uniform(790, 884), 18)
        xx = x0 + s * 30 * ((yy - 500) / 300) + 7 * np.sin(yy / 38 + 4 * s + rng.normal(0, .35))
        v = .06 + .15 * abs(s) + .05 * np.sin(9 * s) + rng.normal(0, .04) + .06 * np.sin(yy / 38 + 4 * s + 1.2)
        back.stroke(np.c_[xx, yy], hair_col(v), rng.uniform(.9, 2.4), np.full(18, .55) * np.sin(np.pi * np.linspace(.05, .97, 18)) ** .5)
    for side, G, key in (('L', G_LEFT, 1.0), ('R', G_RIGHT, .74)):
        F = guide_sheet(G); o1, o2 = rng.uniform(0, 6.28, 2); sgn = 1 if side == 'L' else -1
        def wphase(s): return o1 + 2.4 * s + .8 * np.sin(4 * s + o2)          # neighbouring hair waves together
        def line(s, t, ph, amp, rough=0.0, curl=0.0):
            """Points of one strand: s, t arrays; wave phase/amplitude; roughness; sideways curl of the tip."""
            p = F(mix(np.maximum(s, .004), s, ss(.01, .09, t)), t); d = np.gradient(p, axis=0); nr = np.c_[-d[:, 1], d[:, 0]] / (np.hypot(d[:, 0], d[:, 1])[:, None] + 1e-6)
            w = amp * (1 - .6 * np.exp(-(np.clip(s, 0, 1) / .16) ** 2)) * (3.2 + 11.5 * t ** 1.3) * np.sin(FQ * t + ph) * ss(.24, .62, t) + curl * ss(.80, 1.05, t) ** 1.5
            if rough: w = w + rough * (np.sin(t * rng.uniform(3, 8) + rng.uniform(0, 6)) + .5 * np.sin(t * rng.uniform(9, 17) + rng.uniform(0, 6))) * ss(0, .25, t)
            return p + nr * (w * sgn)[:, None]
        def tone(s, t, ph, amp, off):
            """Brightness along a strand: crown band, wave crests facing the light, darker roots, inside and tips."""
            b1 = np.exp(-((t - .185 - .06 * s) / .085) ** 2); b2 = np.exp(-((t - .50 - .05 * s) / .13) ** 2)
            crest = np.sin(FQ * t + ph + 1.9) * ss(.34, .6, t) * np.clip(amp, 0, 1.4)
            v = .205 + .12 * np.sin(np.pi * np.clip(s, 0, 1)) ** .7 - .10 * np.exp(-(s / .13) ** 2) * ss(.22, .5, t)
            v = v - (.03 if side == 'L' else .08) * ss(.84, 1.05, s) - .06 * ss(.03, 0, t) - .05 * ss(.86, 1.0, t)
            return v + key * (.25 * b1 + .11 * b2) * (.55 + .45 * np.sin(np.pi * np.clip(s, 0, 1))) + .10 * key * crest + off
        # 1. opaque under-sheet, thin at both edges so that only strands form the outline
        for i in range(430):
            s = i / 429; s_ = .035 + .94 * s; ph = wphase(s_); e = rng.uniform(.70, .88)
            front.stroke(line(np.full(m, s_), T, ph, .8), hair_col(tone(s_, T, ph, .5, -.07)), 8 if .03 < s < .965 else 2.5, ss(e + .07, e - .05, T))
        # 2. scalp shimmer along the parting
        q = np.linspace(0, 1, 12); x_ = mix(573.5, 553.5, q ** 1.1); y_ = mix(268, 158, q)
        front.stroke(np.c_[x_ + .8 * np.sin(q * 17), y_], np.tile([.70, .50, .39], (12, 1)), 1.7, .30 * np.sin(np.pi * np.clip(q + .12, 0, 1)) ** .7)
        # 3. overlapping locks, back to front: each has its own phase, length, tone and tapered tip
        locks = [(k, rng.uniform(0, 1)) for k in np.linspace(.01, .99, 34)] + [(rng.uniform(.03, .98), rng.uniform(.3, 1.3)) for _ in range(22)]
        for n_, (sc, depth) in enumerate(sorted(locks, key=lambda k: k[1])):
            hw = rng.uniform(.026, .062); ph = wphase(sc) + rng.normal(0, .30); amp = rng.uniform(.75, 1.25); off = rng.normal(0, .045); tip = .84 + .17 * rng.random() ** .8 - .05 * (sc < .06)
            curl = rng.normal(0, 9); t0 = 0 if depth < .85 else rng.uniform(.10, .36); drift = rng.normal(0, .03); hi = rng.normal(0, .025); edge_ = min(sc, 1 - sc)
            t = mix(t0, tip, T ** 1.15); e = np.linspace(0, 1, m); gather = 1 - .62 * ss(.45, 1.0, e)
            if depth > .5:                                                   # soft shade below the lock, so that it lifts off
                for sd in (-1, 1):
                    l = line(sc + drift * e + sd * hw * 1.05 * gather, t, ph, amp, 0, curl); front.stroke(l, hair_col(np.full(m, .03)), 5.5, .18 * ss(.22, .6, e) * ss(1, .8, e))
            for i in range(58):
                q = np.clip(rng.normal(0, .5), -1.15, 1.15); s = sc + drift * e + q * hw * (gather + rng.normal(0, .05)); a = 0 if rng.random() < .75 else int(rng.integers(0, 22)); b = int(min(m, rng.integers(40, m + 12)))
                v = tone(s, t - hi, ph, amp, off * ss(.0, .35, t) + rng.normal(0, .045) + .055 * q * (1 if side == 'R' else -1) - .10 * abs(q) ** 3)
                if rng.random() < .16: v = v + .10
                ea = np.linspace(0, 1, b - a); al = .50 * (1 if a < 1 and t0 == 0 else ss(0, .25, ea)) * ss(1, .74, ea); wd = rng.uniform(.8, 2.1) * (.75 if edge_ < .04 else 1)
                front.stroke(line(s, t, ph, amp, rng.uniform(.3, 1.7), curl)[a:b], hair_col(v[a:b]), wd, al)
        # 4. fine bright and dark single hairs
        for i in range(1500):
            s0 = np.clip(rng.random() * 1.04 - .02, -.012, 1.02); br = rng.random() < .6; a = rng.uniform(0, .68); b = min(a + rng.uniform(.15, .42), 1)
            t = np.linspace(a, b, 20); ph = wphase(s0) + rng.normal(0, .2); v = tone(s0, t, ph, 1, .10 + abs(rng.normal(0, .05)) if br else -.15)
            front.stroke(line(np.full(20, s0), t, ph, 1, 2.4), hair_col(v), rng.uniform(.45, .95), (.36 if br else .34) * np.sin(np.pi * np.linspace(0, 1, 20)))
        # 5. loose strands: outside the silhouette, along the cheek, and at the tips
        for i in range(250):
            kind = rng.choice(3, p=[.56, .14, .30])
            s0 = (1 + abs(rng.normal(0, .055)), -abs(rng.normal(0, .022)), rng.uniform(0, 1.02))[kind]
            a, ln = ((rng.uniform(.0, .62), rng.uniform(.2, .42)), (rng.uniform(.30, .6), rng.uniform(.2, .4)), (rng.uniform(.66, .8), rng.uniform(.2, .27)))[kind]
            t = np.linspace(a, min(a + ln, 1.0), 26); e = np.linspace(0, 1, 26); ph = wphase(np.clip(s0, 0, 1)) + rng.normal(0, .7)
            l = line(np.full(26, s0) + rng.normal(0, .03) * e, t, ph, rng.uniform(.8, 1.7), 3.0, rng.normal(4, 16))
            front.stroke(l, hair_col(tone(np.clip(s0, 0, 1), t, ph, 1, .06)), rng.uniform(.4, .85), rng.uniform(.25, .55) * np.sin(np.pi * np.clip(.12 + .88 * e, 0, 1)))
        # 6. baby hair: fine hairs that grow out of the forehead into the sheet
        for i in range(900):
            ta = rng.uniform(.0, .30) if side == 'L' else rng.uniform(.0, .24); t = np.linspace(ta, ta + rng.uniform(.03, .09), 9); e = np.linspace(0, 1, 9)
            root = -rng.gamma(1.5, .024); s = mix(root, rng.uniform(.005, .045), e ** .85)
            front.stroke(line(s, t, 0, 0, .8), hair_col(np.full(9, rng.uniform(.16, .42))), rng.uniform(.4, .8), rng.uniform(.25, .55) * ss(0, .5, e) * ss(1.0, .6, e))
        # 7. two or three long loose strands that fall over the cheek line
        for s0, a, b, w in (((-.035, .34, .93, 1.5), (-.012, .28, .90, 1.2), (.02, .33, .92, 1.3)) if side == 'L' else ((-.02, .36, .88, 1.3), (.015, .3, .91, 1.2))):
            ph0 = rng.uniform(0, 6.28)
            for i in range(16):
                t = np.linspace(a + rng.uniform(0, .05), b - rng.uniform(0, .06), 36); e = np.linspace(0, 1, 36); ph = wphase(0) + .5 * np.sin(ph0) + rng.normal(0, .07)
                s = s0 * np.sin(np.pi * e) ** .8 + .02 * (1 - ss(0, .2, e)) + rng.normal(0, .006) * e
                front.stroke(line(s, t, ph, w, .9, 10), hair_col(tone(0.05, t, ph, 1, .03 + rng.normal(0, .05))), rng.uniform(.5, 1.1), .5 * ss(0, .15, e) * ss(1, .75, e))
    return back.layer(), front.layer()

def brows_lashes(S, rng, blink):
    L = Strands(S); top = curve([(28, 393.5), (44, 385.5), (66, 379.6), (88, 378.0), (106, 383.4), (126, 396.5)], PchipInterpolator)
    bot = curve([(28, 404.5), (44, 402), (66, 396), (88, 390.8), (106, 392.2), (126, 399)], PchipInterpolator)
    for sg in (-1, 1):
        aa = np.linspace(32, 118, 30); pl = np.r_[np.c_[CX + sg * aa, top(aa) + 1], np.c_[CX + sg * aa, bot(aa) - 1][::-1]]
        pth = skia.Path(); pth.addPoly([skia.Point(*map(float, k)) for k in pl], True)
        L.c.drawPath(pth, skia.Paint(AntiAlias=True, Color=skia.ColorSetARGB(138, 82, 52, 38), MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 3.0)))
        for i in range(900):                                                 # eyebrow hairs
            a = 29.5 + 91 * rng.random() ** .95; k = rng.random(); q = (a - 28) / 92
            yy = mix(top(a), bot(a), k); th = mix(mix(1.1, .40, ss(0, .3, q)), -.34, ss(.3, .95, q)) + (k - .5) * .5 + rng.normal(0, .13)
            ln = mix(10, 13, ss(0, .3, q)) * mix(1, .62, ss(.6, 1, q)) * rng.uniform(.7, 1.15); e = np.linspace(0, 1, 6)
            px = a + np.cos(th - .35 * e) * ln * e; py = yy - np.sin(th - .35 * e) * ln * e
            al = rng.uniform(.22, .46) * ss(0, .26, q + .07) * mix(1, .7, ss(.7, 1, q)) * mix(.75, 1, np.sin(np.pi * k))
            L.hair(np.c_[CX + sg * px, py], rng.uniform(.7, 1.25), (np.array([66, 42, 31]) + rng.normal(0, 6, 3)).clip(0, 255), al)
        mid_l = lambda a: lid_l(a) - 1.0
        up = lambda a: mix(lid_u(a), mid_l(a), blink)
        for i in range(62):                                                  # upper lashes
            q = (i + rng.random()) / 62; a = mix(39, 112.5, q); a, yy = eye_fwd(a, up(a) - .6)
            ln = mix(3.2, 8.8, ss(0, .9, q)) * rng.uniform(.65, 1.15); out = mix(-.15, .95, q ** 1.1); e = np.linspace(0, 1, 7)
            px = a + ln * (out * e + .12 * e ** 2); lift = mix(.82, -.62, blink)
            py = yy + (.28 if blink < .5 else .1) * ln * e * (1 - e) * 2 - lift * ln * e ** 1.5
            L.hair(np.c_[CX + sg * px, py], rng.uniform(1.3, 2.1), (22, 14, 12), .82)
        for i in range(46):                                                  # lower lashes
            q = (i + rng.random()) / 46; a = mix(50, 110, q); a, yy = eye_fwd(a, lid_l(a) + 1.6); ln = mix(2.6, 5.2, q) * rng.uniform(.7, 1.15); e = np.linspace(0, 1, 5)
            L.hair(np.c_[CX + sg * (a + ln * mix(-.1, .8, q) * e), yy + ln * .72 * e], .65, (46, 28, 24), .36)
    return L.layer()

# ---------------------------------------------------------------- painting
def paint_eye(x, y, u, S, rng):
    """Linear colour of both eyeballs over the whole picture (clipped by the lids later)."""
    sg = np.sign(u); a = np.abs(u); ex, ey = a - EYE[0], y - EYE[1]; wx = u - sg * EYE[0]
    r = np.hypot(ex, ey); R = 19.4; th = np.arctan2(ey, wx)
    ball = np.clip(1 - (ex / 47) ** 2 - ((y - 443) / 30) ** 2, 0, 1) ** .5
    col = lin('#ece0d8') * (.56 + .52 * ball)[..., None]
    col = mixc(col, lin('#c98f86'), .42 * ss(20, 40, np.abs(ex + 3)) )                     # pinker corners
    fib = np.zeros_like(r)
    for k, (f, am) in enumerate(((19, .5), (31, .45), (47, .4), (73, .3))): fib += am * np.sin(th * f + 3 * np.sin(r * .22 + k) + k * 1.7 + sg)
    q = np.clip(r / R, 0, 1)
    iris = mixc(np.broadcast_to(lin('#54361f'), col.shape), lin('#916638'), .75 * ss(.95, .45, q))
    iris = iris * (1 + .20 * fib * ss(.3, .55, q))[..., None]
    iris = mixc(iris, lin('#3a2013'), .6 * np.exp(-((q - .42) / .1) ** 2))
    iris = iris * (.62 + .75 * ss(-.5, 1, ey / R))[..., None]                                # lit from above: lower iris glows
    iris = mixc(iris, lin('#1c100b'), .88 * ss(.80, 1.0, q))
    col = mixc(col, iris, ss(R + 1.0, R - 1.2, r)); col = mixc(col, lin('#0b0706'), ss(9.0, 7.4, r))
    return col.astype(f32)
def catchlights(x, y, u):
    sg = np.sign(u); wx = u - sg * EYE[0]; wy = y - EYE[1]
    k = ss(1.25, .7, (np.abs((wx + 5.6) / 3.1) ** 2 + np.abs((wy + 6.6) / 3.4) ** 2) ** (1 / 2))
    return .92 * k + .20 * ss(1.2, .6, np.hypot((wx - 7) / 3.2, (wy - 7.0) / 2.6))

def liven(x, y):
    """Backward warp (design px) that breaks the mirror symmetry: brow, lid, lip corner, nose, chin, slight tilt."""
    u = x - CX; dx, dy = np.zeros_like(x), np.zeros_like(x)
    for cx, cy, sx, sy, mx, my in ((78, 388, 52, 26, 0, -2.4), (-78, 388, 52, 26, 0, .8), (74, 428, 40, 16, 0, -.7), (-74, 452, 40, 16, 0, -.5),
                                   (58, 597, 30, 24, .6, -1.9), (-58, 597, 30, 24, .3, .5), (0, 545, 34, 40, -1.3, 0), (10, 700, 70, 50, 1.6, .4),
                                   (110, 520, 50, 50, 1.4, -1.0), (-104, 500, 50, 50, .8, .6), (0, 300, 200, 90, -1.5, 0)):
        k = g(u, y, cx, cy, sx, sy); dx += mx * k; dy += my * k
    w = ss(900, 690, y) * TILT; X, Y = x - 512, y - 800
    return (x - dx + w * Y).astype(f32), (y - dy - w * X).astype(f32)
TILT = float(np.deg2rad(1.1))                        # head tilt, fading out over the neck
VX, VY = (85, 939), (92, 946)                  # design window shown in the picture (zoom 1024 / 854)
def frame(img, x, y, S):
    mx, my = liven(x, y); img = cv2.remap(img, mx * S - .5, my * S - .5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(img[VY[0] * S:VY[1] * S, VX[0] * S:VX[1] * S], (N, N), interpolation=cv2.INTER_AREA)
_HAIR = {}
def render(blink=0.0, jaw=0.0, spread=0.0, S=2, seed=11, parts=None):
    """1024x1024 uint8 RGB.  blink 0..1 (closed), jaw 0..1 (dropped), spread -1..1 (pucker..wide)."""
    rng = np.random.default_rng(seed)
    iy, ix = np.mgrid[0:N * S, 0:N * S].astype(f32); x, y = (ix + .5) / S, (iy + .5) / S
    u, Y, gap, g_top, g_bot, Ysp = unwarp(x, y, jaw, spread); a = np.abs(u)
    zf, edge, tt = face_height(u, Y, blink)
    zb, skin_b, trap = body(x, y, S)
    ub = x - CX; ab = np.abs(ub)
    # --- clothes: shell top, blazer with collar and lapels, all as raised layers
    top_m = ss(-.6, .6, (y - (896 - 96 * (np.clip(ab, 0, 130) / 100) ** 2.4)) * S / 2) * (ab < 200)
    bl_edge = curve([(735, 80), (762, 84), (800, 92), (840, 98), (885, 94), (940, 76), (1030, 34)])(y)
    blz = ss(-.6, .6, (ab - bl_edge) * S / 2) * ss(-.6, .6, (y - trap + 9) * S / 2 * .9)
    col = poly_mask(S, [(591, 737), (603, 740), (640, 786), (652, 842), (630, 846), (601, 790)], True, .5); blz = np.maximum(blz, np.maximum(col, col[:, ::-1]))
    lapel = [(586, 730), (604, 738), (624, 764), (660, 806), (690, 842), (672, 872), (700, 884), (684, 930), (626, 990), (560, 1060), (530, 1060), (580, 960), (606, 890), (616, 830), (606, 790)]
    lap_r, lap_l = poly_mask(S, lapel, False, .8), poly_mask(S, mirror(lapel), False, .8); lap = np.maximum(lap_r, lap_l) * blz
    seam = poly_mask(S, [(604, 845), (676, 871), (676, 873), (604, 847.5)], False, .4); seam = np.maximum(seam, seam[:, ::-1])
    lap_rim = np.clip(blur(lap, 1.0 * S) - blur(lap, 4 * S), -1, 1)        # + inside the lapel edge, - outside
    zc = zb + 5 * blur(np.maximum(top_m * (ab < 130), blz).astype(f32), 1.5 * S) + 13 * blur(blz.astype(f32), 1.6 * S) + 8 * blur(lap, 1.0 * S)
    fold = 7 * np.sin((ab * .8 + y * .55) / 34 + 1.2 * np.sin(y / 60)) * ss(150, 260, ab) * ss(860, 960, y) + 4 * g(ab, y, 235, 905, 60, 34, .5) - 5 * g(ab, y, 250, 960, 14, 90, -.25)
    arm = ab - (322 - .42 * (y - 850) - 16 * ss(850, 1010, y))                  # sleeve seam
    zc = zc + (8 * ss(-3, 4, arm) - 5 * np.exp(-(arm / 4.5) ** 2)) * ss(846, 872, y) * blz
    zc = zc + fold * blz * (1 - lap) + 2.6 * np.sin(ub / 21 + 2 * np.sin(y / 50)) * ss(905, 960, y) * top_m * (1 - blz)
    cloth = np.maximum(top_m, blz); body_m = np.maximum(skin_b, blz)
    fm = np.clip(edge * S + .5, 0, 1).astype(f32)
    alpha = np.maximum(fm, body_m)
    # --- light transport at reduced resolution
    q = 512; Zl = cv2.resize(np.where(fm > .5, np.maximum(zf, -40), zc).astype(f32), (q, q), interpolation=cv2.INTER_AREA) * (q / N)
    lr = np.random.default_rng(3)
    KEY, FILL, RIM = np.array([-.38, -.54, .74]), np.array([.66, -.08, .75]), np.array([.93, -.30, .10])
    KEY, FILL, RIM = [v / np.linalg.norm(v) for v in (KEY, FILL, RIM)]
    up_ = lambda im: cv2.resize(im, (N * S, N * S), interpolation=cv2.INTER_CUBIC)
    vis = up_(blur(visibility(Zl, KEY, 120, 2.2, 30, .12, lr), 1.0)); vis2 = up_(blur(visibility(Zl, FILL, 70, 3, 12, .28, lr), 1.5))
    ao = up_(blur(occlusion(Zl, 60), .8)); ao = np.clip(ao, 0, 1)
    vis, vis2 = np.clip(vis, 0, 1), np.clip(vis2, 0, 1)
    micro = noise(rng, x.shape, 1.1, S) * .16 + noise(rng, x.shape, 2.6, S) * .12
    def lit(z, sig, wraps, vis, vis2, ao, amb=.24):
        """Diffuse light RGB with a normal map blurred more in red than in blue (scattering)."""
        out = np.empty(z.shape + (3,), f32)
        for c in range(3):
            nx, ny, nz = normals(blur(z, sig[c] * S), S)
            kd = np.clip((nx * KEY[0] + ny * KEY[1] + nz * KEY[2] + wraps[c]) / (1 + wraps[c]), 0, 1)
            fd = np.clip((nx * FILL[0] + ny * FILL[1] + nz * FILL[2] + .25) / 1.25, 0, 1)
            rd = np.clip(nx * RIM[0] + ny * RIM[1] + nz * RIM[2] + .02, 0, 1) ** 1.6
            v = mix(vis, blur(vis, 5 * S), (.55, .2, .1)[c])                          # red bleeds into shadows
            v = v ** (.76, .98, 1.06)[c]
            bd = np.clip(.72 * ny + .69 * nz, 0, 1) * ao * (.37, .29, .245)[c]           # reflector below
            sky = .62 - .38 * ny
            out[..., c] = kd * v * (1.24, 1.20, 1.14)[c] + fd * vis2 * (.25, .27, .31)[c] + sky * ao ** (.8, 1.05, 1.15)[c] * amb * (1, 1, 1.06)[c] + rd * (.30, .30, .33)[c] * vis2 + bd
        return out
    def spec(z, sig, p, k):
        nx, ny, nz = normals(blur(z, sig * S) + k * micro, S); h = KEY + [0, 0, 1]; h = h / np.linalg.norm(h)
        h2 = FILL + [0, 0, 1]; h2 = h2 / np.linalg.norm(h2)
        return np.clip(nx * h[0] + ny * h[1] + nz * h[2], 0, 1) ** p * vis + .3 * np.clip(nx * h2[0] + ny * h2[1] + nz * h2[2], 0, 1) ** p * vis2
    if parts is not None: parts.update(height=np.where(fm > .5, zf, zc), face_mask=fm, shadow=vis, occlusion=ao)   # for debugging
    # --- skin albedo
    sk = np.broadcast_to(lin('#dfaa8e'), x.shape + (3,)).astype(f32)
    sk = mixc(sk, lin('#e0b08c'), .5 * g(a, Y, 0, 320, 130, 70))
    sk = mixc(sk, lin('#d07c6c'),   .36 * g(a, Y, 100, 512, 58, 44) + .30 * g(a, Y, 0, 540, 30, 24) + .18 * g(a, Y, 0, 690, 44, 28) + .10 * g(a, Y, 0, 300, 120, 40))
    sk = mixc(sk, lin('#b97f72'), .40 * g(a, Y, 76, 426, 44, 14) + .26 * g(a, Y, 70, 472, 36, 10) + .25 * g(a, Y, 34, 446, 12, 14))
    sk = mixc(sk, lin('#d99c80'), .30 * ss(590, 690, Y)); sk = mixc(sk, lin('#c07a66'), .5 * g(a, Y, 30, 556, 16, 6))
    body_sk = np.broadcast_to(lin('#d8a185'), x.shape + (3,)).astype(f32); body_sk = mixc(body_sk, lin('#cf8a74'), .25 * g(ab, y, 0, 868, 110, 30))
    mott = noise(rng, x.shape, 14, S) * .018 + noise(rng, x.shape, 4, S) * .014 + noise(rng, x.shape, 1.0, S) * .014
    fre = np.zeros_like(x)
    for i in range(90):
        fx, fy = rng.normal(0, 78), rng.normal(508, 24)
        if abs(fx) < 150: cy0, cx0 = int(fy * S), int((CX + fx) * S); sl = np.s_[max(cy0 - 6 * S, 0):cy0 + 6 * S, cx0 - 6 * S:cx0 + 6 * S]; fre[sl] += rng.uniform(.2, .8) * g(x[sl], y[sl], CX + fx, fy, *(rng.uniform(.8, 1.7),) * 2)
    sk = mixc(sk, lin('#a8684c'), .26 * np.clip(fre, 0, 1))
    sk = sk * (1 + mott[..., None] * np.array([.7, 1, 1.15], f32))
    # lips
    ym, yu, yl = y_mid(a), y_up(a), y_lo(a)
    lipm = ss(-1.3, 1.6, np.minimum(Y - yu, yl - Y)) * ss(MOUTH_A + 1, MOUTH_A - 8, a)
    lipc = mixc(np.broadcast_to(lin('#c26a64'), sk.shape), lin('#a9585a'), ss(2, -2, Y - ym) * .75)
    lipc = mixc(lipc, lin('#8d4246'), .55 * np.exp(-((Y - ym) / 5.0) ** 2)); lipc = mixc(lipc, lin('#d98f84'), .45 * g(a, Y, 0, 620, 30, 7))
    lines = np.sin(u * .95 + 2.2 * np.sin(u * .21) + (Y - ym) * .02 * u) * .5 + np.sin(u * .47 + 1.3) * .5
    lipc = lipc * (1 + .055 * lines * ss(0, 8, np.abs(Y - ym)))[..., None]
    sk = mixc(sk, lipc, .90 * lipm)
    # --- shade
    Ls = lit(zf, (4.2, 2.4, 1.6), (.34, .22, .16), vis, vis2, ao); Lsharp = lit(zf, (1.6, 1.2, 1.0), (.28, .20, .16), vis, vis2, ao)
    near = np.clip(lipm + g(a, Y, 74, 442, 60, 34) + g(a, Y, 0, 545, 48, 24), 0, 1)[..., None]
    face = sk * mix(Ls, Lsharp, .75 * near)
    gl = .055 + .045 * g(a, Y, 0, 500, 16, 60) + .09 * g(a, Y, 0, 533, 16, 12) + .05 * g(a, Y, 118, 478, 40, 28) + .04 * g(a, Y, 0, 310, 90, 50) + .05 * g(a, Y, 0, 682, 24, 16) + .05 * g(a, Y, 74, 420, 30, 8)
    face += (spec(zf, 1.5, 16, .55) * gl * (1 - lipm) * .8)[..., None] * np.array([1, .95, .9], f32) + (spec(zf, 1.3, 46, .30) * gl * (1 - lipm) * 1.1)[..., None]
    face += ((.30 * spec(zf, 1.1, 40, .5) + .10 * spec(zf, 1.3, 12, .3)) * lipm * ss(-2, 6, Y - ym) * (1 + .35 * lines))[..., None] + (.05 * spec(zf, 1.2, 18, .3) * lipm)[..., None]
    ml = np.exp(-((Y - ym) / mix(1.5, 2.3, g(a, Y, 0, 609, 34, 99))) ** 2) * ss(MOUTH_A + 2, MOUTH_A - 6, a)
    face = mixc(face, lin('#3a1418'), .80 * ml)
    face = mixc(face, lin('#6a3026'), .24 * g(a, Y, MOUTH_A + .5, 596, 5, 3.6))
    nos = np.clip(1.25 * g(a, Y, 15.5, 557.2, 7.4, 2.9, -.18), 0, 1); face = mixc(face, lin('#34150f'), .80 * nos ** 1.2)
    # --- eyes
    lo = lid_l(a) - 2.0 * blink * ss(36, 60, a) * ss(112, 92, a); upl = mix(lid_u(a), lo, blink)
    inx = (a > 35) & (a < 112.3); open_ = ss(-.7, .7, (Y - upl)) * ss(-.7, .7, (lo - Y)) * inx
    eye = paint_eye(x, Y, u, S, rng)
    shade = .34 + .66 * ss(-1, 11, Y - upl); eye = eye * (shade * (.62 + .38 * ss(118, 60, a)) * mix(.86, 1.0, ss(1, 7, lo - Y)))[..., None] * np.array([.96, .94, .95], f32)
    eye = mixc(eye, lin('#c07c70'), .85 * g(a, Y, 38.5, 449.3, 5.2, 4.2))
    eye = eye + (catchlights(x, Y, u) * ss(0, 3, Y - upl))[..., None] * .95 + (.28 * g(a, Y, 40.5, 448, 1.2, 1.0))[..., None]
    face = mixc(face, eye, open_)
    wl = np.exp(-((Y - lo - .4) / 1.5) ** 2) * ss(38, 46, a) * ss(113, 106, a) * (1 - blink)
    face = mixc(face, lin('#d49a8c') * .8, .55 * wl); face += (.10 * np.exp(-((Y - lo + .9) / .7) ** 2) * ss(46, 56, a) * ss(108, 98, a) * (1 - blink))[..., None]
    lash = np.exp(-(np.where(Y < upl, (upl - Y) / mix(2.0, 3.2, ss(50, 100, a)), (Y - upl) / 1.2)) ** 2) * ss(36, 52, a) * ss(115, 110, a)
    face = mixc(face, lin('#1c100e'), .90 * lash)
    cre = np.exp(-((Y - crease(a)) / 2.0) ** 2) * ss(38, 54, a) * ss(120, 104, a); face = mixc(face, lin('#6b3a2e'), (.40 - .22 * blink) * cre)
    face = mixc(face, lin('#7a4a3c'), .22 * ss(0, 6, upl - Y) * ss(crease(a) - 4, crease(a) + 5, Y) * ss(40, 56, a) * ss(116, 100, a) + .26 * ss(66, 112, a) * g(a, Y, 108, 430, 24, 13) + .12 * g(a, Y, 80, 412, 40, 9))
    # --- mouth interior
    if jaw > 0:
        op = ss(-.6, .8, gap); dep = (Ysp - g_top) / np.maximum(g_bot - g_top, 1)
        mi = np.broadcast_to(lin('#2a0c0e'), face.shape) * (.35 + .5 * ss(.1, .9, dep))[..., None]
        near_gap = np.abs(a - np.round(a / 8.8) * 8.8); ty = g_top + 10.5 - 4.5 * (a / 44) ** 2 - 1.0 * np.exp(-(near_gap / 1.3) ** 2) - .7 * np.exp(-((a - 13.2) / 4) ** 2); tooth = ss(.8, -.8, Ysp - ty - 5 * min(spread, 0)) * ss(46, 40, a)
        tcol = lin('#e9dfd0') * (.78 * ss(52, 8, a) * (.55 + .45 * ss(-1, 7, Ysp - g_top)))[..., None]
        sep = np.exp(-(near_gap / .6) ** 2)
        tcol = mixc(tcol, lin('#6e5147'), .42 * sep)
        tong = ss(.0, 1.0, 1.15 - ((a / 36) ** 2 + ((Ysp - g_bot - 4) / (.42 * np.maximum(g_bot - g_top, 1) + 1)) ** 2)); mi = mixc(mi, lin('#a3524f') * .62, .85 * tong * ss(.35, .8, dep))
        mi = mixc(mi, tcol, tooth); mi = mi * (.55 + .45 * ss(0, 7, gap))[..., None]
        face = mixc(face, mi, op)
    # --- neck, chest, cloth shading
    Lb = lit(zb, (5, 3, 2.2), (.34, .22, .16), vis, vis2, ao); bodyc = body_sk * (1 + mott[..., None]) * Lb + (.05 * spec(zb, 2, 16, .5))[..., None]
    tw = np.sin((x * 1.0 + y * 1.0) * 2.1) * .03 + noise(rng, x.shape, .9, S) * .06 + noise(rng, x.shape, 9, S) * .03
    Lc = lit(zc, (1.2, 1.2, 1.2), (.15, .15, .15), vis, vis2, ao, .34)
    navy = lin('#28394b') * ((1 + tw) * (1 + .55 * lap_rim) * (1 - .45 * seam) * (1 + .10 * lap))[..., None] * Lc * 1.05 + (.020 * spec(zc, 2.0, 8, .5))[..., None]
    ivory = lin('#e6ddd0') * (1 + .25 * tw)[..., None] * Lc * .92
    bodyc = mixc(bodyc, ivory, top_m); bodyc = mixc(bodyc, navy, np.maximum(blz, np.maximum(ss(112, 116, ab), ss(2, 4, ab - bl_edge) * ss(736, 739, y))))
    # --- hair, brows, lashes
    if S not in _HAIR: _HAIR[S] = hair_layers(S, np.random.default_rng(5))      # the hair is pose independent
    (bh, bha), (fh, fha) = _HAIR[S]; (lh, lha) = brows_lashes(S, np.random.default_rng(9), blink)
    sh = np.clip(blur(shift(fha, -6 * S, -10 * S), 15 * S) * .74 + .32 * blur(shift(fha, -2 * S, -3 * S), 4 * S), 0, 1)
    tint = np.array([.52, .64, .70], f32)
    face *= 1 - sh[..., None] * tint; bodyc *= 1 - .8 * sh[..., None] * tint
    bodyc *= 1 - (.60 * ss(812, 690, y) * ss(150, 60, ab))[..., None] * np.array([.8, 1, 1.05], f32)   # chin shadow
    # --- background and composition (linear light)
    bgv = np.hypot((x - 470) / 700, (y - 400) / 760); bg = mixc(np.broadcast_to(lin('#b3bcbd'), face.shape), lin('#5d6d76'), ss(.05, 1.15, bgv))
    bg = mixc(bg, lin('#c9c3b8'), .35 * g(x, y, 330, 330, 330, 380)); bg = bg * (1 + noise(rng, x.shape, 60, S) * .012)[..., None]
    img = bg * (1 - .25 * blur(np.maximum(alpha, fha), 40 * S))[..., None]
    img = mixc(img, lin_rgb(bh), bha); bm = body_m * 1.0
    img = img * (1 - bm[..., None]) + bodyc * bm[..., None]
    img = img * (1 - fm[..., None]) + face * fm[..., None]
    img = mixc(img, lin_rgb(lh), lha)
    hv = .80 + .30 * ss(720, 240, x); img = mixc(img, lin_rgb(fh) * hv[..., None], fha)
    # --- grade: filmic shoulder, gentle bloom, vignette, grain
    img = img * 1.12; img += .07 * (blur(np.clip(img - .55, 0, 1), 10 * S))
    img = img * (1 + .12 * img) / (1 + .36 * img ** 1.6)
    out = srgb(img * np.array([1.025, 1.0, .965], f32)); out = out + .035 * np.sin((out - .5) * np.pi) * .8
    out = frame(out.astype(f32), x, y, S)
    vg = np.hypot(*(np.mgrid[0:N, 0:N] - 511.5)[::-1] / 724.0); out *= (1 - .16 * ss(.55, 1.05, vg))[..., None]
    out += (np.random.default_rng(1).normal(0, .0055, (N, N, 1)) + np.random.default_rng(2).normal(0, .002, (N, N, 3)))
    return (np.clip(out, 0, 1) * 255 + .5).astype(np.uint8)
def lin_rgb(c): return np.where(c <= .04045, c / 12.92, ((c + .055) / 1.055) ** 2.4).astype(f32)

# ---------------------------------------------------------------- exact contours of the drawing
def contours(n=41):
    """Drawn contours of the neutral picture in output pixels (left/right as seen by the viewer):
    lids run outer -> inner corner, lips left -> right corner, face = jaw outline left -> chin -> right."""
    def put(u, y):
        u, y = np.asarray(u, float), np.asarray(y, float); a, sg = np.abs(u), np.sign(u); fa, fy = a, y
        for _ in range(20): k = 1 + EM * g(fa, fy, 74, 441, 54, 40); fa = np.where(a < 1, a, 74 + (a - 74) * mix(1, k, ss(0, 24, fa))); fy = 441 + (y - 441) * k
        tx, ty = CX + sg * fa, fy; x, y = tx.copy(), ty.copy()
        for _ in range(20): bx, by = liven(x, y); x, y = x + tx - bx, y + ty - by
        return np.round(np.c_[(x - VX[0]) * N / (VX[1] - VX[0]), (y - VY[0]) * N / (VY[1] - VY[0])] - .5, 2).tolist()
    e = np.linspace(112, 35, n); m = np.linspace(-MOUTH_A, MOUTH_A, n); th = np.linspace(-1.45, 1.45, n); r = head_r(np.abs(th)); out = {}
    for name, sg in (('left', -1), ('right', 1)): out['lid_upper_' + name] = put(sg * e, lid_u(e)); out['lid_lower_' + name] = put(sg * e, lid_l(e))
    for name, f in (('lip_upper', y_up), ('lip_line', y_mid), ('lip_lower', y_lo)): out[name] = put(m, f(np.abs(m)))
    out['face'] = put(r * np.sin(th), HC + r * np.cos(th)); return out

EYES_CLOSED, EYES_BOX = (.15, .4, .75, 1), (340, 336, 706, 480)       # left, top, right, bottom in the output
def save(path, rgb): cv2.imwrite(path, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])

if __name__ == '__main__':
    ap = argparse.ArgumentParser(); here = os.path.dirname(os.path.abspath(__file__))
    for k in ('blink', 'jaw', 'spread'): ap.add_argument('--' + k, type=float, default=0.0)
    ap.add_argument('--out'); ap.add_argument('--ss', type=int, default=2, help='supersampling (1 = fast preview)')
    A = ap.parse_args()
    if A.out: save(A.out, render(A.blink, A.jaw, A.spread, A.ss))
    else:
        json.dump(contours(), open(os.path.join(here, 'portrait_contours.json'), 'w'))
        save(os.path.join(here, 'portrait.png'), render(0, 0, 0, A.ss))
        l, t, r, b = EYES_BOX
        save(os.path.join(here, 'portrait_eyes.png'), np.vstack([render(c, 0, 0, A.ss)[t:b, l:r] for c in EYES_CLOSED]))
