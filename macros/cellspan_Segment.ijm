// Plugins > cellspan Segment: finds every cell in the active image and adds the outlines to the ROI Manager.
//
// For plain ImageJ 1.54p or newer; Fiji has Segment Cells. `cellspan install fiji --to FOLDER` puts this file into the plugins
// folder.
//
// From a macro:             run("cellspan Segment", "model=nuclei diameter=30");
// Without a display:        runMacro(FOLDER + "/plugins/cellspan_Segment.ijm", "model=nuclei diameter=30");
//
// Missing settings have their defaults. Without a display there is no ROI Manager, and in batch mode the ROI Manager is
// lost when this command ends: in both cases the outlines go to the overlay of the image.
// If something goes wrong, one message is shown and the calling macro stops; runMacro returns "[aborted]". In batch
// mode the message is a line "ERROR ..." in the Log, without a display a line on the console.

// The settings have the names and defaults of the engine (core/parameters.py); channels count from 1. No name may end
// with another one after an underscore: ImageJ would find channel= in nuclei_channel=2, too.
var names = newArray("model", "diameter", "channel", "nuclei", "planes", "flow_threshold", "cellprob_threshold",
    "min_size", "exclude_on_edges", "invert", "combine", "normalize", "limits", "tile_norm", "sharpen", "smooth",
    "restore", "results");
var values = newArray("cyto", "0", "0", "0", "current plane", "0.4", "0", "15", "false", "false", "mean", "1,99", "none",
    "0", "0", "0", "none", "ROI Manager");
var combinations = newArray("mean", "maximum");
var planes = newArray("current plane", "every plane");
var results = newArray("ROI Manager", "overlay", "label image", "ROI Manager and label image",
    "overlay and label image");

// Read now, because this information changes as soon as another macro starts.
var here = File.getDirectory(getInfo("macro.filepath"));

if (nImages == 0)
    fail("No image is open: open the image to segment first.");
chooseSettings();
checkChannels();
box = boxToSegment();
engine = engineCommand();
folder = newTemporaryFolder();
saveSelection(folder);
place = savePart(folder, box);
showStatus("cellspan is looking for cells...");
answer = askEngine(engine, folder, place);
problem = problemIn(answer);
if (problem == "")
    problem = addOutlines(engine, folder, countIn(answer));
restoreSelection(folder);
if (problem == "" && wants("label image"))
    showLabels(folder, place);
removeFolder(folder);
if (problem != "")
    fail(problem);
showStatus("cellspan: " + countIn(answer) + " objects");

// ---- settings

// From the macro that called this one, or else from the dialog.
function chooseSettings() {
    options = getArgument();
    if (options == "")
        options = "" + call("ij.Macro.getOptions");
    if (options != "null")
        readSettings(options);
    else if (!isHeadless())
        askForSettings();
}

function readSettings(options) {
    checkNames(options);
    for (i = 0; i < names.length; i++)
        values[i] = call("ij.Macro.getValue", options, names[i], values[i]);
    for (i = 0; i < names.length; i++) {
        // ImageJ writes a ticked checkbox as its name alone.
        if (isBox(names[i]) && matches(" " + options + " ", ".* " + names[i] + " .*"))
            values[i] = "true";
        if (isBox(names[i]) && !matches(values[i], "true|false"))
            fail("" + names[i] + " = '" + values[i] + "' is not possible: write the name alone, or leave it out.");
    }
    requireOneOf("planes", planes);
    requireOneOf("combine", combinations);
    requireOneOf("results", results);
}

function isBox(name) {
    if (name == "exclude_on_edges" || name == "invert")
        return true;
    return false;
}

function setting(name) {
    for (i = 0; i < names.length; i++) {
        if (names[i] == name)
            return values[i];
    }
    return "";
}

function requireOneOf(name, choices) {
    value = setting(name);
    for (i = 0; i < choices.length; i++) {
        if (choices[i] == value)
            return;
    }
    fail("" + name + " = '" + value + "' is not possible; choose one of: " + String.join(choices, ", ") + ".");
}

function wants(result) {
    wanted = setting("results");
    if (indexOf(wanted, result) >= 0)
        return true;
    return false;
}

// A misspelt setting must not be ignored.
function checkNames(options) {
    words = split(replace(options, "\\[[^\\]]*\\]", ""), " ");
    for (i = 0; i < words.length; i++) {
        name = replace(words[i], "=.*", "");
        if (indexOf(" " + String.join(names, " ") + " ", " " + name + " ") < 0)
            fail("There is no setting '" + name + "'; the settings are: " + String.join(names, ", ") + ".");
    }
}

// In recorded macros, the first word of a label is the name of the setting; the dialog shows underscores as spaces.
function askForSettings() {
    Dialog.create("cellspan Segment");
    Dialog.addString("Model", values[0], 16);
    Dialog.addNumber("Diameter (0 = automatic)", parseFloat(values[1]), 1, 8, "pixels");
    Dialog.addString("Channel (0 = the one shown)", values[2], 8);
    Dialog.addNumber("Nuclei channel (0 = none)", parseFloat(values[3]), 0, 8, "");
    Dialog.addChoice("Planes", planes, values[4]);
    Dialog.addNumber("Flow_threshold (0 = keep all)", parseFloat(values[5]), 2, 8, "");
    Dialog.addNumber("Cellprob_threshold (lower = more)", parseFloat(values[6]), 2, 8, "");
    Dialog.addNumber("Min_size", parseFloat(values[7]), 0, 8, "pixels");
    Dialog.addCheckbox("Exclude_on_edges", matches(values[8], "true"));
    Dialog.addCheckbox("Invert (objects are darker)", matches(values[9], "true"));
    Dialog.addChoice("Combine several channels by", combinations, values[10]);
    Dialog.addString("Normalize between percentiles", values[11], 8);
    Dialog.addString("Limits (none = percentiles)", values[12], 8);
    Dialog.addNumber("Tile_norm (0 = off)", parseFloat(values[13]), 0, 8, "pixels");
    Dialog.addNumber("Sharpen (0 = off)", parseFloat(values[14]), 1, 8, "pixels");
    Dialog.addNumber("Smooth (0 = off)", parseFloat(values[15]), 1, 8, "pixels");
    Dialog.addString("Restore the image first (none = as it is)", values[16], 16);
    Dialog.addChoice("Results", results, values[17]);
    Dialog.show();
    values[0] = Dialog.getString();
    values[1] = "" + Dialog.getNumber();
    values[2] = Dialog.getString();
    values[3] = "" + Dialog.getNumber();
    values[4] = Dialog.getChoice();
    for (i = 5; i < 8; i++)
        values[i] = "" + Dialog.getNumber();
    for (i = 8; i < 10; i++)
        values[i] = asWord(Dialog.getCheckbox());
    values[10] = Dialog.getChoice();
    values[11] = Dialog.getString();
    values[12] = Dialog.getString();
    for (i = 13; i < 16; i++)
        values[i] = "" + Dialog.getNumber();
    values[16] = Dialog.getString();
    values[17] = Dialog.getChoice();
}

function asWord(flag) {
    if (flag)
        return "true";
    return "false";
}

// ---- the engine

// The command that starts the engine, one word per line in a file that the installer wrote.
function engineCommand() {
    path = here + "cellspan/engine.txt";
    if (!File.exists(path))
        path = getDirectory("plugins") + "cellspan/engine.txt";
    if (!File.exists(path))
        fail("The cellspan engine was not found: in a terminal, run   cellspan install fiji --to FOLDER   "
            + "with the folder of this ImageJ.");
    lines = split(File.openAsString(path), "\n");
    for (i = 0; i < lines.length; i++)
        lines[i] = call("java.net.URLDecoder.decode", String.trim(lines[i]), "UTF-8");
    return lines;
}

// Returns what the engine printed: "OK <count> <file>" or "ERROR <sentence>".
function askEngine(engine, folder, place) {
    words = Array.concat(engine, "fiji-segment", "--input", folder + "image.tif", "--rois", folder + "rois.zip");
    if (wants("label image"))
        words = Array.concat(words, "--labels", folder + "labels.tif");
    if (File.exists(folder + "mask.tif"))
        words = Array.concat(words, "--inside", folder + "mask.tif");
    if (place != "0,0,0,0")
        words = Array.concat(words, "--at", place);
    if (Stack.isHyperstack)
        words = Array.concat(words, "--hyperstack");
    words = withChannels(words);
    for (i = 0; i < names.length; i++) {
        flag = "--" + replace(names[i], "_", "-");
        if (isBox(names[i])) {
            if (values[i] == "true")
                words = Array.concat(words, flag);
        } else if (!matches(names[i], "channel|nuclei|planes|results"))
            words = Array.concat(words, flag, values[i]);
    }
    printed = execute(words);
    answer = lastLine(printed);
    return answer;
}

// The engine counts channels from 0.
function withChannels(words) {
    getDimensions(width, height, channels, slices, frames);
    mains = split(values[2], ",");
    nuclei = parseInt(values[3]);
    if (parseInt(mains[0]) == 0 && channels > 1) {
        Stack.getPosition(shown, slice, frame);
        mains = newArray("" + shown);
    }
    if (parseInt(mains[0]) > 0 && (channels > 1 || bitDepth() == 24)) {
        for (i = 0; i < mains.length; i++)
            mains[i] = "" + (parseInt(mains[i]) - 1);
        words = Array.concat(words, "--channel", String.join(mains, ","));
    }
    if (nuclei > 0)
        words = Array.concat(words, "--nuclei-channel", "" + (nuclei - 1));
    return words;
}

function checkChannels() {
    getDimensions(width, height, channels, slices, frames);
    if (bitDepth() == 24)
        channels = 3;
    for (k = 2; k < 4; k++) {
        numbers = split(values[k], ",");
        for (i = 0; i < numbers.length; i++) {
            number = parseInt(numbers[i]);
            least = 0;
            if (numbers.length > 1)
                least = 1; // 0, the one shown, is alone
            if (isNaN(number) || number < least || number > channels)
                fail("" + names[k] + " = " + values[k] + ", but the image has " + channels
                    + " channel(s), counted from 1.");
        }
    }
}

// exec() takes any number of words, but no array.
function execute(words) {
    code = "return exec(";
    for (i = 0; i < words.length; i++) {
        if (i > 0)
            code = code + ", ";
        word = quote(words[i]);
        code = code + word;
    }
    return eval(code + ");");
}

function quote(text) {
    text = replace(text, "\\", "\\\\");
    text = replace(text, "\"", "\\\"");
    return "\"" + text + "\"";
}

function lastLine(text) {
    lines = split(text, "\n");
    if (lines.length == 0)
        return "";
    return lines[lines.length - 1];
}

function problemIn(answer) {
    if (matches(answer, "OK \\d+ .*"))
        return "";
    if (startsWith(answer, "ERROR "))
        return substring(answer, 6);
    if (answer == "")
        return "The engine did not answer; in a terminal, run   cellspan doctor   to see why.";
    return "The engine did not start (" + answer + "); in a terminal, run   cellspan install fiji   again.";
}

function countIn(answer) {
    words = split(answer, " ");
    return parseInt(words[1]);
}

// ---- outlines

// Returns an error message, or "". Outlines that the user has in the ROI Manager and the overlay stay there.
function addOutlines(engine, folder, count) {
    if (count == 0)
        return "";
    added = count;
    if (wants("overlay") || (wants("ROI Manager") && hasNoManager()))
        added = addToOverlay(engine, folder);
    else if (wants("ROI Manager"))
        added = addToManager(folder + "rois.zip");
    if (added == count)
        return "";
    return "ImageJ read only " + added + " of " + count + " outlines; please report this.";
}

function hasNoManager() {
    if (isHeadless() || (is("Batch Mode") && !isOpen("ROI Manager")))
        return true;
    return false;
}

function addToManager(path) {
    before = roiManager("count");
    roiManager("open", path);
    roiManager("show all");
    return roiManager("count") - before;
}

// Without a display, ImageJ opens single ROI files but no RoiSet.zip. The macro language cannot unpack an archive, but
// the Python that runs the engine can.
function addToOverlay(engine, folder) {
    printed = execute(newArray(engine[0], "-m", "zipfile", "-e", folder + "rois.zip", folder + "rois"));
    files = getFileList(folder + "rois");
    Array.sort(files);
    before = Overlay.size;
    for (i = 0; i < files.length; i++) {
        open(folder + "rois/" + files[i]);
        Overlay.addSelection;
        deleted = File.delete(folder + "rois/" + files[i]);
    }
    Roi.remove;
    Overlay.show;
    return Overlay.size - before;
}

// A new image with the size and calibration of the user's image: the pixels of object k have the grey level k.
function showLabels(folder, place) {
    getDimensions(width, height, channels, slices, frames);
    getVoxelSize(pixelWidth, pixelHeight, pixelDepth, plural);
    Stack.getUnits(unit, unitY, unitZ, unitOfTime, unitOfValues);
    interval = Stack.getFrameInterval();
    title = File.getNameWithoutExtension(getTitle());
    offset = split(place, ",");
    open(folder + "labels.tif");
    if (getWidth() != width || getHeight() != height) {
        run("Canvas Size...", "width=" + width + " height=" + height + " position=Top-Left zero");
        run("Translate...", "x=" + offset[0] + " y=" + offset[1] + " interpolation=None stack");
    }
    rename(title + "_labels");
    setVoxelSize(pixelWidth, pixelHeight, pixelDepth, unit);
    Stack.setTUnit(unitOfTime);
    Stack.setFrameInterval(interval);
    if (nSlices > 1)
        Stack.getStatistics(voxels, mean, min, max);
    else
        getStatistics(area, mean, min, max);
    setMinAndMax(0, maxOf(1, max));
}

// ---- the part to segment

// Keeps the selection, whatever ImageJ does to it meanwhile. Only Roi.copy keeps it unchanged: a file would turn a
// rotated rectangle into a polygon. A selection that the calling macro had copied is saved with a small image first.
function saveSelection(folder) {
    if (selectionType() < 0)
        return;
    image = getImageID();
    batch = hideNewImages();
    newImage("cellspan copied", "8-bit black", 1, 1, 1);
    Roi.paste;
    saveAs("tiff", folder + "copied.tif");
    close();
    selectImage(image);
    Roi.copy;
    showNewImages(batch);
}

function restoreSelection(folder) {
    if (!File.exists(folder + "copied.tif"))
        return;
    Roi.paste;
    image = getImageID();
    batch = hideNewImages();
    open(folder + "copied.tif");
    if (selectionType() >= 0)
        Roi.copy;
    close();
    selectImage(image);
    showNewImages(batch);
}

// Rectangle, oval, polygon, freehand, traced, composite: the types that enclose an area.
function isArea(type) {
    if ((type >= 0 && type <= 4) || type == 9)
        return true;
    return false;
}

// x, y, width and height of the selection, as far as it lies in the image, or else of the image.
function boxToSegment() {
    if (!isArea(selectionType()))
        return newArray(0, 0, getWidth(), getHeight());
    Roi.getBounds(x, y, width, height);
    left = maxOf(0, x);
    top = maxOf(0, y);
    right = minOf(getWidth(), x + width);
    bottom = minOf(getHeight(), y + height);
    if (left >= right || top >= bottom)
        fail("The selection is outside the image: move it, or remove it with Edit > Selection > Select None.");
    return newArray(left, top, right - left, bottom - top);
}

// Saves a copy of the part to segment, because ImageJ renames an image when it saves it. Returns where the part is: x, y,
// and slice and frame counted from 1, 0 = the image has only one.
function savePart(folder, box) {
    image = getImageID();
    getDimensions(width, height, channels, slices, frames);
    Stack.getPosition(channel, slice, frame);
    options = "title=cellspan";
    wanted = setting("planes");
    if (wanted == "every plane") {
        slice = 1;
        frame = 1;
        options = options + " duplicate";
    } else if (channels > 1 || Stack.isHyperstack)
        options = options + " duplicate channels=1-" + channels + " slices=" + slice + " frames=" + frame;
    type = selectionType();
    batch = hideNewImages();
    if (isArea(type)) {
        saveMask(folder, box);
        selectImage(image);
        // Duplicate would take a different part if the selection reaches beyond the image, or is a rotated rectangle.
        makeRectangle(box[0], box[1], box[2], box[3]);
    } else if (type >= 0)
        Roi.remove;
    run("Duplicate...", options);
    saveAs("tiff", folder + "image.tif");
    close();
    selectImage(image);
    if (type >= 0)
        Roi.paste;
    showNewImages(batch);
    if (slices == 1)
        slice = 0;
    if (frames == 1)
        frame = 0;
    return "" + box[0] + "," + box[1] + "," + slice + "," + frame;
}

// Saves which pixels of the box are selected, unless all are. "Create Mask" would draw into an open window "Mask".
function saveMask(folder, box) {
    Roi.getBounds(x, y, width, height);
    newImage("cellspan mask", "8-bit black", x + width, y + height, 1);
    mask = getImageID();
    Roi.paste;
    run("Set...", "value=255");
    makeRectangle(box[0], box[1], box[2], box[3]);
    run("Crop");
    getStatistics(area, mean, min);
    if (min == 0)
        saveAs("tiff", folder + "mask.tif");
    selectImage(mask);
    close();
}

// Images made between these two calls are not shown; a macro in batch mode stays in batch mode.
function hideNewImages() {
    batch = is("Batch Mode");
    if (!batch)
        setBatchMode(true);
    return batch;
}

function showNewImages(batch) {
    if (!batch)
        setBatchMode(false);
}

// ---- files

function newTemporaryFolder() {
    folder = getDirectory("temp") + "cellspan_" + d2s(getTime(), 0) + "_" + d2s(random * 1e9, 0) + "/";
    File.makeDirectory(folder);
    if (!File.isDirectory(folder))
        fail("A temporary folder could not be created: " + folder);
    return folder;
}

function removeFolder(folder) {
    files = newArray("rois", "rois.zip", "image.tif", "mask.tif", "labels.tif", "copied.tif", "");
    for (i = 0; i < files.length; i++) {
        if (File.exists(folder + files[i]))
            deleted = File.delete(folder + files[i]);
    }
}

// ---- messages

function isHeadless() {
    if (call("java.awt.GraphicsEnvironment.isHeadless") == "true")
        return true;
    return false;
}

// Shows one message and ends this macro: in a box, or as a line where nobody sees boxes. After exit(message), the macro
// that called this one would simply continue; Macro.abort and IJ.error stop it too, but leave a window with a stack
// trace, which is closed here.
function fail(message) {
    wasOpen = isOpen("Exception");
    if (isHeadless() || is("Batch Mode")) {
        call("ij.Macro.abort");
        print("ERROR " + message);
    } else {
        lines = wrap(message);
        call("ij.IJ.error", "cellspan", lines);
    }
    if (!wasOpen && isOpen("Exception"))
        close("Exception");
    exit();
}

// ImageJ's message box does not break lines.
function wrap(text) {
    words = split(text, " ");
    line = "";
    wrapped = "";
    for (i = 0; i < words.length; i++) {
        if (lengthOf(line) + lengthOf(words[i]) > 80) {
            wrapped = wrapped + line + "\n";
            line = "";
        }
        line = line + words[i] + " ";
    }
    return wrapped + line;
}
