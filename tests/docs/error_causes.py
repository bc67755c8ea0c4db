"""Cause and cure of the sentences that do not name their way out: a part of the sentence, and what to know about it.

The first part that a sentence contains counts. docs/errors.md shows these words below the sentence.
"""

from __future__ import annotations

COPY_AGAIN = "The file was cut short or damaged, often by an interrupted copy. Copy it again from where it was made."
SAVE_AS_TIFF = "Open it in the microscope's program or in Fiji, and save it as OME-TIFF."
SYSTEM = "Mostly a missing permission, a full disk or a lost network drive; mend that, or use another folder."
FREE_MEMORY = "Close other programs, or use a computer with more memory."
SPELLING = "Mostly a typing error, or a path that is meant from another folder. Give the full path."
BY_PROGRAMS = "Only programs that talk to the engine by themselves see this"
WRONG_MODEL = "It is a file of another program, or of a model of another kind. [Models](models.md) says what runs."
EDITED_MODEL = (
    "model.json was edited by hand or belongs to another model. Copy the model's folder again, or import it again."
)
SAME_SIZE = (
    "Two files that belong together have different sizes: one was cropped, scaled or mixed up. Give the right one."
)
AXES = "Say what the axes are with `axes`, such as `axes='ZYX'`, or transpose the array."
ENGINE_OF_PLUGIN = (
    "The sentence goes on with what to do: in a window, use the module once and press *Install*; in a terminal, type "
    "its two commands."
)
REPORT = "This is a fault of cellspan. Please report it, with `cellspan doctor --report FILE`."
NO_TIFF_PLANE = "The file was cut short, or written by a program that was interrupted. " + SAVE_AS_TIFF

CAUSES: dict[str, str] = {
    # Images: finding and opening
    "is not an image type that cellspan reads": "Save the image as TIFF or PNG.",
    "a plane has the shape": NO_TIFF_PLANE,
    "more than the image around it": COPY_AGAIN,
    "follow each other in a circle": COPY_AGAIN,
    "no images were found there, only results": (
        "The folder holds what cellspan wrote. Give the folder of the images."
    ),
    "no images were found": (
        "The folder is another one than meant, its images are of another type, or they are named like results "
        "(such as `_labels.tif`), which are left out. Give the folder of the images."
    ),
    "the file cannot be read (": (
        f"{SYSTEM} Open the file in another program as the same user to see whether it is there."
    ),
    "declares no type of pixels": COPY_AGAIN,
    "parts, which is too many": COPY_AGAIN,
    "the file is damaged or not an image": (
        "The ending says image, the content does not: the copy was interrupted, or a file was renamed. Open it in "
        "Fiji; if that works, save it there as TIFF."
    ),
    "the file is empty": "It has 0 bytes: the disk was full, or the copy was interrupted. Copy it again.",
    "there is no such file": SPELLING,
    "this is a folder, not a file": "A file is needed here. Give one of the files in that folder.",
    "a pipe or a device, not a file": "Save the image in a file first.",
    "a pipe, a device or a socket": "Give the path of a file on a disk.",
    "this is a single plane; volumes": (
        "Options for volumes need a stack. Leave them out for planes, or save all slices in one TIFF."
    ),
    "is no name of a file": (
        "It contains a character that names cannot have. Look for quotes or line ends that were pasted along."
    ),
    # Formats of microscopes
    "none of the files has an image of that number": (
        "A file with one image has only series 0. Leave out `--series`, or look at the numbers in the microscope's"
        " program."
    ),
    "and its page": NO_TIFF_PLANE,
    "which are not read": (
        f"cellspan reads channels, slices and time points, but not such further axes. {SAVE_AS_TIFF}"
    ),
    "which is not read": SAVE_AS_TIFF,
    "is not in the file; it is cut short": (
        "The recording was interrupted, or the copy. Copy the file again, or save the complete part as OME-TIFF."
    ),
    "do not say where the plane": SAVE_AS_TIFF,
    "its metadata name the axes": "The OME-Zarr contradicts itself. Write it again with the program that made it.",
    "and other parts of the image": SAVE_AS_TIFF,
    "the file holds no image": (
        "A project without images, or an interrupted recording. Look into it with the microscope's program."
    ),
    "there is no series": "Series count from 0. Choose one of those that the sentence names.",
    "this is no OME-Zarr": (
        "It is a Zarr of another kind, or a folder inside of an OME-Zarr (or above it). Give the folder that holds"
        " the image, the one with `multiscales` in its metadata."
    ),
    "that its metadata name are not in the file": (
        "Copy the file again. If the image is kept in several files, put all of them into one folder."
    ),
    # Grey values
    "are NaN, so there is nothing": (
        "The image was computed, and a division by 0 or an empty region made all of it invalid. Look at the step "
        "that wrote it."
    ),
    # Label images
    "label image has 2 or 3 axes": AXES,
    "numbers from 0 to 2147483647": "There are negative or huge numbers. Number the objects 1, 2, 3, ...",
    "numbers up to 2147483647": "Number the objects 1, 2, 3, ..., as Fiji and CellProfiler do when they save labels.",
    "NaN or infinities": (
        "It is probably a probability map or the result of a calculation. Give the label image, saved as 16 or 32 bit."
    ),
    "this one has fractions": (
        "It is probably a probability map, or was scaled with smoothing. Give the label image, and scale labels "
        "without interpolation."
    ),
    "Frames to link must have one shape": SAME_SIZE,
    "Label images to compare must": SAME_SIZE,
    "a label image holds whole numbers in": (
        "It has channels or time points. Save the labels alone, as one grey image."
    ),
    "its entry '": "The file was cut short or edited. Open the image in Cellpose and save it again.",
    "this NumPy file cannot be read": COPY_AGAIN,
    "this NumPy file does not fit": FREE_MEMORY,
    "volumes are read from TIFF, not": "Save the labels of the volume as one TIFF with all slices.",
    "is not named by frame, slice and number": (
        "The outlines were renamed. Save them with the names that cellspan gives."
    ),
    # Masks
    "but this one has NaN": "Save the mask as an 8-bit image: 0 outside, 255 inside.",
    "the mask cannot be used": "The reason follows; it is about the mask's file, as for any image.",
    "the mask is 0 everywhere": (
        "Nothing is selected. In Fiji, masks with an inverting lookup table look the other way round: use Edit > "
        "Invert and save it again."
    ),
    "there is no such mask": SPELLING,
    # Axes
    "gives numbers that are not finite": (
        "A training that failed, or a damaged file. Copy or import the model again, or use an earlier checkpoint."
    ),
    "a volume has the axes": AXES,
    "an image has 2 axes": AXES + " A z-stack needs `do_3d` or `stitch_threshold`.",
    "are for volumes, and this is a single plane": (
        "Leave both out; or the stack was read as a plane because its file does not say what its axes are: in "
        "Fiji, correct them in Image > Properties."
    ),
    "series chooses among": "Leave it out for arrays, or give the path of the file.",
    "are more than time points": "Save one position or angle in a file of its own.",
    "the axes '…' do not describe a": "One letter is needed for each axis of the array, such as `ZCYX`.",
    "are not those of a volume": "In Fiji, correct the axes in Image > Properties, or save channels as a hyperstack.",
    "has no pixels": "One of its sides is 0, as after an empty crop. Crop it again.",
    "has no voxels": "One of its sides is 0, as after an empty crop. Crop it again.",
    # Options and results
    "are they of one image": SAME_SIZE,
    "are they of the same image": SAME_SIZE,
    "no label images named": "Give the folder that holds the true labels, named in one of these ways.",
    "predictions are missing": (
        "Segment all images whose true labels are in the folder, or remove the labels of the others."
    ),
    "needs the network once more": (
        "Segment the image again with the new value; `again` changes only what follows the network."
    ),
    "channel(s), counted from 0": (
        "The first channel is 0, the second 1. Choose one that the image has; a file may hold fewer channels than "
        "the microscope showed."
    ),
    "… = … is not possible": "The reason follows. [Every option](options.md) lists what each option can be.",
    "… = …... is not possible": "The reason follows. [Every option](options.md) lists what each option can be.",
    "another run has written this result": (
        "Two runs write into one folder. Nothing is lost; this is only to let you know."
    ),
    "its results cannot be looked for": SYSTEM,
    "the file cannot be deleted": SYSTEM + " On Windows, close the program that has it open.",
    "the file cannot be written": SYSTEM,
    "the folder cannot be made": SYSTEM,
    "the image does not fit into memory": (
        f"{FREE_MEMORY} Cut a plane into parts; for a stack, use `--stitch-threshold`, which goes slice by slice."
    ),
    # Models
    "cannot be used: …": "It is a network of another kind; the sentence names what to use in its place.",
    "the model cannot be copied": SYSTEM,
    "free memory": FREE_MEMORY,
    "this package cannot be read": COPY_AGAIN,
    "describes no weights": "The package holds a data set or an application. Download one that holds a model.",
    "The weights lack": WRONG_MODEL,
    "is described by other sizes": EDITED_MODEL,
    "mean diameter of … pixels is impossible": "The file is damaged, or its number was changed. Copy it again.",
    "it asks for more memory than there is": "Copy it again.",
    "is too long for a model description": (
        "Another file took the place of model.json. Copy the model's folder again."
    ),
    "the model's weights cannot be read": COPY_AGAIN,
    "but restores": EDITED_MODEL,
    "network has … input channels": "cellspan runs networks of up to 8 channels. Train one with fewer.",
    "coefficients, but the network": EDITED_MODEL,
    "the smallest diameter": EDITED_MODEL,
    "does not match": WRONG_MODEL,
    "not a Cellpose size model": (
        "A file `size_NAME.npy` beside the checkpoint is something else. Remove it, and the diameter is searched "
        "for without it, or download the model again."
    ),
    "this is not a model folder": "Give the folder that `cellspan train --out` wrote, not one above or inside of it.",
    "not a torch checkpoint": WRONG_MODEL,
    "size model contains impossible numbers": "Remove the file `size_NAME.npy`, or download the model again.",
    "does not fit a style of length": (
        "The file `size_NAME.npy` belongs to another model. Remove it, or put the right one there."
    ),
    "torch file contains": (
        "It is a whole program or a training's state. In the program that wrote it, save the network's "
        "`state_dict()` alone."
    ),
    "tokens of": EDITED_MODEL,
    "widths: a network": EDITED_MODEL,
    "you do not have permission": "Ask its owner to let you read it, or copy it to a folder of yours.",
    "is not a SHA-256": "It was cut when it was copied, or is a checksum of another kind. Copy it once more.",
    "it is a … instead of": "The server sent the file of another model. Try another `--url`.",
    "its network has": "The server sent the file of another model. Try another `--url`.",
    "the download cannot be written": SYSTEM,
    "contradict each other": (
        "Delete the checksum that is wrong: the `.sha256` file beside the model, or the one of `--sha256`."
    ),
    "because its SHA-256 is": (
        "The file differs from the one that was downloaded first. If it was replaced on purpose, delete the saved "
        "`.sha256` file; otherwise do not use it."
    ),
    "the file was refused": (
        "The reason follows. Download it from another `--url`, or copy it from a computer where it works."
    ),
    "the connection broke off": "Run the command again: it continues where it stopped.",
    "the server answered": "The server has a problem, or does not let you in. Try again later, or another `--url`.",
    "did not answer in time": (
        "Try again later; behind a firewall, set `HTTPS_PROXY`, or copy the file from another computer "
        "([how](models.md#a-computer-without-internet))."
    ),
    "has no such file (404)": "The mirror lacks this model. Leave out `--url`, or ask who keeps it.",
    "could not be downloaded": (
        "The reason follows. Or copy the file from another computer ([how](models.md#a-computer-without-internet))."
    ),
    "CUDA graphics card(s)": (
        "Its number counts from 0. If no card is seen, its driver is missing, or torch is the build for CPUs: "
        "`cellspan doctor` tells."
    ),
    "of memory, and … are free": "The sentence ends with what makes it smaller.",
    # Training
    "none of these images is annotated": (
        "Annotations of one image in a file of several are called `NAME_s0_masks.tif`, `NAME_s1_masks.tif` and so on."
    ),
    "its size … differs from": SAME_SIZE,
    "no annotated images were found": "Annotations are recognised by their names. Rename them as the sentence says.",
    "does not have the widths": "Start with the same `--widths` as the model, or leave them out.",
    "The model '…' is not …": (
        "Its network has other sizes than the one in training. Leave out the options that change sizes."
    ),
    "the checkpoint cannot be read": (
        "It is damaged. Begin a new training; the model in that folder, if there is one, can be its `--from`."
    ),
    "there is no checkpoint to resume": (
        "The training ended before its first checkpoint, or `--out` is another folder. Leave out `--resume`."
    ),
    "there is no training to resume": (
        "The folder is another one than the training's `--out`. Leave out `--resume` to begin one."
    ),
    "A simulated volume needs": "The sentence names the limits. Give larger numbers.",
    "The available looks are": "Give one of those that the sentence names.",
    "There are simulated volumes of": "Give one of those that the sentence names.",
    "to take textures from": "Give a folder with microscope images whose background or texture is to be used.",
    # The engine
    "A valid token is needed": (
        f"{BY_PROGRAMS}. The token is in `service.json`, beside the log that `cellspan doctor` names."
    ),
    "An Idempotency-Key must": f"{BY_PROGRAMS}. Give a shorter key.",
    "see the log for details": REPORT,
    "Metrics are available only": (
        "Stop the engine (`cellspan service stop`), and start it with `cellspan serve --metrics`."
    ),
    "No part of the image arrived": "The sending program was stopped or the network is slow. Send the image again.",
    "its header is damaged": f"{BY_PROGRAMS}. Write the array with `numpy.save`.",
    "The array cannot be read (": f"{BY_PROGRAMS}. Write the array with `numpy.save`, without pickled objects.",
    "bytes follow; it is cut short": "The sending program was interrupted. Send the image again.",
    "holds other things than numbers": f"{BY_PROGRAMS}. Send an array of integers or floats.",
    "disconnected before the whole image": "The sending program was stopped. Send the image again.",
    "The image cannot be stored": (
        "The disk of the temporary folder is full. Free some space, or set `TMPDIR` to another disk before the "
        "engine starts."
    ),
    "The image is empty": f"{BY_PROGRAMS}. Send the image as the body of the request.",
    "it has no results": f"{BY_PROGRAMS}. Wait for the job until it is done; if it failed, its message says why.",
    "only finished jobs can be repeated": f"{BY_PROGRAMS}. Wait for the job until it is done.",
    "name of a client": f"{BY_PROGRAMS}. Give a shorter name.",
    "There is no job": (
        "The result was fetched long ago, or the engine was started anew meanwhile. Send the image again."
    ),
    "Idempotency-Key was already used": f"{BY_PROGRAMS}. Use a new key for each image.",
    "This engine is not": (
        f"{BY_PROGRAMS}. Use the address in `service.json`; the engine answers to no other name, so that pages"
        " of the internet cannot reach it."
    ),
    "no computer can hold": f"{BY_PROGRAMS}. Write the array with `numpy.save`.",
    "the shape … is impossible": f"{BY_PROGRAMS}. Write the array with `numpy.save`.",
    "is not for plain arrays": f"{BY_PROGRAMS}. Write the array with `numpy.save`.",
    "image and mask together": f"{BY_PROGRAMS}. Give the size of the mask alone.",
    "… are available as": f"{BY_PROGRAMS}. Ask for one of these types with `Accept`.",
    "cannot be written in": (
        "The disk of the temporary folder is full. Free some space, or set `TMPDIR` to another disk before the "
        "engine starts."
    ),
    "/openapi.json lists": f"{BY_PROGRAMS}. The address or the method is wrong; that list has the right ones.",
    "could not be started": (
        "What follows is the last line of its log. `cellspan doctor` says what is missing, and `cellspan serve` "
        "shows everything that the engine says."
    ),
    "did not start within": (
        "The computer is very busy, or compiles after an upgrade. Try again; if it stays, the log says why."
    ),
    "times while this image was waiting": (
        "Mostly the memory is full: use smaller images or parts, or fewer programs at once. The end of the log "
        "says more."
    ),
    "listener stopped; see its log": (
        "The engine starts again when it is needed; `cellspan doctor` shows where its log is."
    ),
    "was cancelled": "You, or a program of yours, stopped it. Segment the image again if this was not meant.",
    "the TLS files cannot be used": "They do not belong together, or are not in PEM format. The reason follows.",
    # CellProfiler
    "You stopped this image": "Run the step again for its objects.",
    "jobs could not be submitted": (
        "The reason is the cluster's: mostly an unknown `--queue` or a `--job-option` that it does not know."
    ),
    "no scheduler answers": "Start `dask scheduler` and give its address, such as `tcp://host:8786`.",
    "could not prepare the run": (
        "The reason is CellProfiler's. Open the pipeline in CellProfiler with the same images; it shows the step."
    ),
    "no image sets in its own record": (
        "The pipeline does not fit the images. Check its rules in NamesAndTypes, and use another output folder."
    ),
    "would skip modules": (
        "CellProfiler does not know a module, or a newer version saved it. Open the pipeline in this CellProfiler,"
        " and replace the module."
    ),
    "databases of the ranges cannot be merged": (
        "The disk is full, or another program has the database open. Run the command again: it continues."
    ),
    "the pipeline cannot be read": SYSTEM,
    "the preparation of the run was stopped": "You stopped it. Run the command again.",
    "there are no images in this folder": "Give the folder of the images, or one above it.",
    "there is no such": SPELLING,
    "lacks the package mysqlclient": (
        "Install mysqlclient into that Python, or export with ExportToSpreadsheet instead."
    ),
    "has no revision": "The file was edited or cut short. Save the pipeline in CellProfiler again.",
    "not a CellProfiler pipeline": "Give a .cppipe file, which CellProfiler writes with File > Export > Pipeline.",
    "not a CellProfiler project": "Give the .cpproj file itself, or its pipeline as .cppipe.",
    "step, so there is nothing to migrate": "The pipeline does not use RunCellpose; it can stay as it is.",
    "this project has no pipeline": (
        "Export the pipeline in CellProfiler (File > Export > Pipeline), and migrate that."
    ),
    # Fiji
    "temporary folder could not be created": (
        "The disk is full, or your user may not write to the folder for temporary files."
    ),
    "is the disk full": "Free some space on the disk that the sentence names, and run the command again.",
    "channel(s), counted from 1": (
        "In Fiji, the first channel is 1, as in its sliders. Choose one that the image has."
    ),
    "The image was closed": ("Open it again, and start the command once more."),
    "frame(s).": (
        "The outlines belong to another image, or slices and frames are mixed up: correct the dimensions in Image "
        "> Properties."
    ),
    "is there such a folder": "Give a folder that exists, and that you may write to.",
    "There are no outlines in the ROI Manager": "The sentence goes on with how to get some.",
    "There is no setting": (
        "Mostly a typing error in a macro. Record the command with Plugins > Macros > Record... to get the right words."
    ),
    "= '…' is not possible": "The sentence goes on with what is possible.",
    "image(s) failed, the others are done": "The first failed image follows with its reason; the Log has all.",
    "A label image is (Y, X)": "Give the labels without channels, as one array of whole numbers.",
    "ImageJ's RGB images are": "Scale the colours to 0 to 255 first, and put them into the last axis.",
    "ROIs come from": "Give one of these three.",
    "The ImageJ macro was aborted": "The macro stopped itself, mostly because of an error in it.",
    "has either channels or colours": "Leave out C or S.",
    "pixels large, but the image": SAME_SIZE,
    "a label image has one channel": "Give the file that holds the labels, not the image.",
    "there is only one frame": "If its slices are frames, correct the dimensions in Image > Properties.",
    "the selection cannot be read": "Save the selection again in ImageJ's format (.roi).",
    "did not start (": "The reason is Java's. Start that Fiji by hand once to see whether it works.",
    "this RoiSet.zip cannot be read": "Save the outlines again with More > Save... of the ROI Manager.",
    "is not X,Y,SLICE,FRAME": (
        "Only Fiji's commands use this option. Install them again: `cellspan install fiji --to FOLDER`."
    ),
    "Java did not start with": "Install a JDK, and connect to the internet for the first start.",
    "does not run Cellpose, so there": "The macro has no command of the BIOP wrapper; it can stay as it is.",
    # The first use of files that came as a zip
    "The cellspan engine is no longer at": ENGINE_OF_PLUGIN,
    "The cellspan engine is not connected to CellProfiler": ENGINE_OF_PLUGIN,
    "The plugin is newer than the cellspan engine": ENGINE_OF_PLUGIN,
    "The engine could not be installed: …": (
        "Mostly a Python on the computer that is broken, or a package that is missing in a folder of files "
        "([without internet](install_without_terminal.md#without-internet)); the named file says more."
    ),
    "could not be connected to this Fiji": (
        "Mostly Fiji's folder may not be written to. Get the right to, or unpack a Fiji into a folder of your own."
    ),
    "the engine cannot be made there": "Free some disk, or name another folder in the variable `CELLSPAN_ENGINES`.",
    "is missing in this folder; it makes the engine": (
        "Collect the packages again. [Without internet](install_without_terminal.md#without-internet)"
    ),
    "its checksum differs": "The download was cut short or changed on its way. Try again, or from another network.",
    # napari and the review page
    "The labels are …, but the image": "The labels belong to another layer. Select the two that belong together.",
    "This layer has a single axis": "Select a layer that holds an image.",
    "It was stopped": "Start it again if this was not meant.",
    "Only the review page itself": "Another page tried to use the review. Change things in the review's own tab.",
    "There is no image": "The folder has changed meanwhile. Reload the page.",
    "There is no channel": "The folder has changed meanwhile. Reload the page.",
    "There is no level": "The file has changed meanwhile. Reload the page.",
    "There is no tile": "The file has changed meanwhile. Reload the page.",
    "There is no slice": "The file has changed meanwhile. Reload the page.",
    "There is no object": "It was deleted or merged meanwhile. Select another one.",
    "There is nothing at": (
        "The address is not one of the page's. Open the review again with `cellspan review FOLDER`."
    ),
    "There is nothing to": "All steps of this image have been taken back or done again.",
    "No run has written new results": "They were taken or put aside before, perhaps in another tab. Reload the page.",
    "cannot be shown as a stack": "Save one position in a file of its own.",
    "this correction cannot be read": (
        "A full disk or an interrupted copy damaged it. Move the folder of the corrections away to begin anew."
    ),
    "so there is nothing to learn from": "Draw or find some objects first, or do not accept this image.",
    "The engine answered with status": "Reload the page. If it comes again, run `cellspan doctor`.",
    "The line needs at least": "Drag a longer line, or press Space at more places and then Enter.",
    "The outlines are still read": "The image was opened a moment ago. Wait until its outlines are drawn.",
    "There are no objects in this plane": "Go to another slice, or find objects with other settings.",
    "They do not touch": "Objects that do not touch stay in pieces. Undo it, or draw the missing part and merge again.",
}
