// Plugins > cellspan Segment: finds every cell in the active image and adds the outlines to the ROI Manager.
//
// For ImageJ 1.54p or newer and for Fiji. `cellspan install fiji --to FOLDER` puts this file into the plugins folder.
//
// From a macro:             run("cellspan Segment", "model=nuclei diameter=30");
// Without a display:        runMacro(FOLDER + "/plugins/cellspan_Segment.ijm", "model=nuclei diameter=30");
//
// Settings that are not given have their defaults. Without a display there is no ROI Manager, and a macro in batch
// mode has only one that is lost when this command ends: then the outlines go to the overlay of the image.
// If something goes wrong, there is one message and the calling macro stops; runMacro returns "[aborted]".

// The names and the defaults are those of the engine (core/parameters.py).
var names = newArray("model", "diameter", "flow_threshold", "cellprob_threshold", "min_size", "exclude_on_edges");
var values = newArray("cyto", "0", "0.4", "0", "15", "false");

// Read at once, before another macro starts and takes its place.
var here = File.getDirectory(getInfo("macro.filepath"));

if (nImages == 0)
    fail("There is no image open: open the image to segment first.");
chooseSettings();
engine = engineCommand();
folder = newTemporaryFolder();
// Until a part of an image can be segmented, the selection is out of the way, and comes back at the end.
selected = selectionType() >= 0;
if (selected) {
    Roi.copy;
    Roi.remove;
}
saveCopy(folder + "image.tif");
showStatus("cellspan is looking for cells...");
answer = askEngine(engine, folder);
problem = problemIn(answer);
if (problem == "")
    problem = addOutlines(engine, folder, countIn(answer));
removeFolder(folder);
if (selected)
    Roi.paste;
if (problem != "")
    fail(problem);
showStatus("cellspan: " + countIn(answer) + " objects");

// ---- settings

// From the macro that called this one, or else from the person.
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
    // ImageJ writes a ticked box as its name alone.
    if (matches(" " + options + " ", ".* exclude_on_edges .*"))
        values[5] = "true";
    if (!matches(values[5], "true|false"))
        fail("exclude_on_edges = '" + values[5] + "' is not possible: give its name alone, or leave it out.");
}

// A misspelt setting must not be ignored silently.
function checkNames(options) {
    words = split(replace(options, "\\[[^\\]]*\\]", ""), " ");
    for (i = 0; i < words.length; i++) {
        name = replace(words[i], "=.*", "");
        if (indexOf(" " + String.join(names, " ") + " ", " " + name + " ") < 0)
            fail("There is no setting '" + name + "'; the settings are: " + String.join(names, ", ") + ".");
    }
}

// The first word of a label is the setting's name in recorded macros; ImageJ shows its underscores as spaces.
function askForSettings() {
    Dialog.create("cellspan Segment");
    Dialog.addString("Model", values[0], 16);
    Dialog.addNumber("Diameter (0 = automatic)", parseFloat(values[1]), 1, 8, "pixels");
    Dialog.addNumber("Flow_threshold (0 = keep all)", parseFloat(values[2]), 2, 8, "");
    Dialog.addNumber("Cellprob_threshold (lower = more)", parseFloat(values[3]), 2, 8, "");
    Dialog.addNumber("Min_size", parseFloat(values[4]), 0, 8, "pixels");
    Dialog.addCheckbox("Exclude_on_edges", matches(values[5], "true"));
    Dialog.show();
    values[0] = Dialog.getString();
    for (i = 1; i < 5; i++)
        values[i] = "" + Dialog.getNumber();
    if (Dialog.getCheckbox())
        values[5] = "true";
    else
        values[5] = "false";
}

// ---- the engine

// The words of the command that starts the engine; the installer wrote them into a file, one a line.
function engineCommand() {
    path = here + "cellspan/engine.txt";
    if (!File.exists(path))
        path = getDirectory("plugins") + "cellspan/engine.txt";
    if (!File.exists(path))
        fail("cellspan's engine is not known here: in a terminal, run   cellspan install fiji --to FOLDER   "
            + "with the folder of this ImageJ.");
    lines = split(File.openAsString(path), "\n");
    for (i = 0; i < lines.length; i++)
        lines[i] = call("java.net.URLDecoder.decode", String.trim(lines[i]), "UTF-8");
    return lines;
}

// What the engine prints: one line, "OK <count> <file>" or "ERROR <sentence>".
function askEngine(engine, folder) {
    words = Array.concat(engine, "fiji-segment", "--input", folder + "image.tif", "--rois", folder + "rois.zip");
    for (i = 0; i < 5; i++)
        words = Array.concat(words, "--" + replace(names[i], "_", "-"), values[i]);
    if (values[5] == "true")
        words = Array.concat(words, "--exclude-on-edges");
    printed = execute(words);
    answer = lastLine(printed);
    return answer;
}

// exec() takes any number of words, but not as an array.
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
        return "The engine gave no answer; in a terminal, run   cellspan doctor   to see why.";
    return "The engine did not start (" + answer + "); in a terminal, run   cellspan install fiji   again.";
}

function countIn(answer) {
    words = split(answer, " ");
    return parseInt(words[1]);
}

// ---- outlines

// Returns what went wrong, or "". What the user has in the ROI Manager and in the overlay stays.
function addOutlines(engine, folder, count) {
    if (count == 0)
        return "";
    if (isHeadless() || (is("Batch Mode") && !isOpen("ROI Manager")))
        added = addToOverlay(engine, folder);
    else
        added = addToManager(folder + "rois.zip");
    if (added == count)
        return "";
    return "ImageJ took over " + added + " of " + count + " outlines.";
}

function addToManager(path) {
    before = roiManager("count");
    roiManager("open", path);
    roiManager("show all");
    return roiManager("count") - before;
}

// ImageJ opens a RoiSet.zip only with a display, but single files also without. The macro language cannot unpack
// an archive; the program that runs the engine is a Python, which can.
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

// ---- files

function newTemporaryFolder() {
    folder = getDirectory("temp") + "cellspan_" + d2s(getTime(), 0) + "_" + d2s(random * 1e9, 0) + "/";
    File.makeDirectory(folder);
    if (!File.isDirectory(folder))
        fail("A temporary folder cannot be made: " + folder);
    return folder;
}

// A copy, because ImageJ renames the image that it saves.
function saveCopy(path) {
    image = getImageID();
    batch = is("Batch Mode");
    if (!batch)
        setBatchMode(true);
    run("Duplicate...", "title=cellspan duplicate");
    saveAs("tiff", path);
    close();
    selectImage(image);
    if (!batch)
        setBatchMode(false);
}

function removeFolder(folder) {
    deleted = File.delete(folder + "rois");
    deleted = File.delete(folder + "rois.zip");
    deleted = File.delete(folder + "image.tif");
    deleted = File.delete(folder);
}

// ---- messages

function isHeadless() {
    if (call("java.awt.GraphicsEnvironment.isHeadless") == "true")
        return true;
    return false;
}

// One message, then the end of this macro. exit(message) would let the macro that called this one go on as if all
// were well; IJ.error stops that one too, and leaves a window with a stack trace behind, which is closed.
function fail(message) {
    if (isHeadless())
        exit("ERROR " + message);
    wasOpen = isOpen("Exception");
    lines = wrap(message);
    call("ij.IJ.error", "cellspan", lines);
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
