// Which plane of a stack an outline belongs to, and what it is called: one rule for every command.
//
// core/objects/roi_places.py holds the same rule for Python; both are tested with the cases of tests/roi_places.csv.
// Slices and frames count from 1; 0 = every one. `cellspan install fiji` puts this file into plugins/cellspan.

import groovy.transform.CompileStatic
import ij.ImagePlus
import ij.gui.Roi

@CompileStatic // of thousands of outlines
class RoiPlaces {
    private static final int DIGITS = 4 // of a number in a name, at least
    final int channels, slices, frames
    final boolean hyperstack

    RoiPlaces(int channels, int slices, int frames, boolean hyperstack) {
        this.channels = channels
        this.slices = slices
        this.frames = frames
        this.hyperstack = hyperstack
    }

    static RoiPlaces of(ImagePlus image) {
        return new RoiPlaces(image.NChannels, image.NSlices, image.NFrames, image.hyperStack)
    }

    // Binds an outline to one slice and one frame, and to all channels. Plain stacks number their planes; only
    // hyperstacks have positions with slice and frame. The wrong kind shows an outline on every plane or on none.
    void bind(Roi roi, int slice, int frame) {
        if (slices * frames == 1)
            return
        if (hyperstack)
            roi.setPosition(0, slices > 1 ? slice : 0, frames > 1 ? frame : 0)
        else
            roi.setPosition(((frame - 1) * slices + slice - 1) * channels + 1)
    }

    // Where an outline belongs, [slice, frame]; the numbers may lie beyond the stack.
    List<Integer> placeOf(Roi roi) {
        if (slices * frames == 1)
            return [1, 1]
        int onlySlice = slices == 1 ? 1 : 0
        int onlyFrame = frames == 1 ? 1 : 0
        if (roi.hasHyperStackPosition()) // of plain positions, ZPosition gives the number of the plane
            return [roi.ZPosition ?: onlySlice, roi.TPosition ?: onlyFrame]
        if (!roi.position)
            return [onlySlice, onlyFrame]
        def plane = (roi.position - 1).intdiv(channels)
        return [plane % slices + 1, plane.intdiv(slices) + 1]
    }

    // 0002-0003-0012: frame 2, slice 3, object 12. Frame and slice are left out where the stack has only one.
    String name(int object, int slice, int frame, int largest) {
        String inFrame = frames > 1 ? digits(frame, DIGITS) + "-" : ""
        String inSlice = slices > 1 ? digits(slice, DIGITS) + "-" : ""
        return inFrame + inSlice + number(object, largest)
    }

    // The number of an object alone, with as many digits as the largest one has.
    static String number(int object, int largest) {
        return digits(object, Math.max(DIGITS, largest.toString().size()))
    }

    private static String digits(int number, int count) {
        return number.toString().padLeft(count, "0")
    }

    // What a name stands for: [object, slice, frame].
    List<Integer> named(String name) {
        def numbers = name.split("-")*.toInteger()
        def object = numbers.removeLast()
        def slice = slices > 1 ? numbers.removeLast() : 1
        return [object, slice, frames > 1 ? numbers.removeLast() : 1]
    }
}

return RoiPlaces
