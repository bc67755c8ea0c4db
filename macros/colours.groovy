// Colours for objects: 255 that differ as much as possible, so that neighbours look different; 0 is black.
//
// After Glasbey et al. (Color Research and Application 2007): each colour is, of many random ones, the farthest in CIELAB
// from all colours before it. The seed is fixed, so an object has the same colour every time. `cellspan install fiji` puts this file into plugins/cellspan.

import groovy.transform.CompileStatic
import ij.process.LUT
import java.awt.Color

@CompileStatic
class Colours {
    private static final int CANDIDATES = 2000
    private static final double DARKEST = 35 // of 100: outlines must be visible on black
    private final int[] colours = new int[256]

    Colours() {
        Random random = new Random(20070401)
        int[] candidates = new int[CANDIDATES]
        double[][] places = new double[CANDIDATES][]
        int found = 0
        while (found < CANDIDATES) {
            int colour = random.nextInt(1 << 24)
            double[] place = lab(colour)
            if (place[0] >= DARKEST) {
                candidates[found] = colour
                places[found++] = place
            }
        }
        double[] nearest = new double[CANDIDATES]
        Arrays.fill(nearest, Double.MAX_VALUE)
        approach(nearest, places, lab(0x000000))
        approach(nearest, places, lab(0xffffff))
        for (int k = 1; k < 256; k++) {
            int best = 0
            for (int i = 1; i < CANDIDATES; i++)
                if (nearest[i] > nearest[best])
                    best = i
            colours[k] = candidates[best]
            approach(nearest, places, places[best])
        }
    }

    // After 255 labels, the colours repeat.
    static int index(int label) {
        return label == 0 ? 0 : 1 + (label - 1) % 255
    }

    Color of(int label) {
        return new Color(colours[index(label)])
    }

    LUT lut() {
        byte[] red = new byte[256], green = new byte[256], blue = new byte[256]
        for (int k = 0; k < 256; k++) {
            red[k] = (byte) (colours[k] >> 16)
            green[k] = (byte) (colours[k] >> 8)
            blue[k] = (byte) colours[k]
        }
        return new LUT(red, green, blue)
    }

    private static void approach(double[] nearest, double[][] places, double[] place) {
        for (int i = 0; i < places.length; i++) {
            double l = places[i][0] - place[0], a = places[i][1] - place[1], b = places[i][2] - place[2]
            nearest[i] = Math.min(nearest[i], l * l + a * a + b * b)
        }
    }

    // sRGB to CIELAB with the white of daylight (D65).
    private static double[] lab(int colour) {
        double r = linear((colour >> 16) & 255), g = linear((colour >> 8) & 255), b = linear(colour & 255)
        double x = curve((0.4124d * r + 0.3576d * g + 0.1805d * b) / 0.9505d)
        double y = curve(0.2126d * r + 0.7152d * g + 0.0722d * b)
        double z = curve((0.0193d * r + 0.1192d * g + 0.9505d * b) / 1.089d)
        return [116 * y - 16, 500 * (x - y), 200 * (y - z)] as double[]
    }

    private static double linear(int value) {
        double part = value / 255d
        return part <= 0.04045d ? part / 12.92d : Math.pow((part + 0.055d) / 1.055d, 2.4d)
    }

    private static double curve(double value) {
        return value > 0.008856d ? Math.cbrt(value) : 7.787d * value + 16d / 116d
    }
}

return new Colours()
