// The settings of a command with their types: from a macro, from whoever runs the script, or from the dialog (form.groovy).
//
// A command declares each setting as a SciJava parameter of the type CharSequence. SciJava has no field for that type, so
// Fiji shows no dialog of its own; it still fills in the options of a macro, and its recorder writes every value.
//
//     kind     text, number, count (a whole number), box (true or false), choice, model, restoring, official (of Cellpose), channel, channels, folder, file,
//              length and area (in pixels; the dialog shows them in the unit of the image)
//     of       the choices, with | between; "every slice:slices" is offered only if the image has several slices
//     part     the heading in the dialog under which it stands; with more=true, it is shown after "More..."
//     needs    slices, frames, channels, stack: what the image must have for it to be shown; else it has its default
//     none     of a folder or file: the words that mean none
//
// `cellspan.settings(this, image)` uses it. `cellspan install fiji` puts this file into plugins/cellspan.

import ij.ImagePlus
import ij.Macro
import java.awt.GraphicsEnvironment

// One setting, as its line in the command declares it.
class Field {
    private static final List<String> WHOLE = ["count", "channel", "area"]
    private final item

    Field(item) {
        this.item = item
    }

    String get(String attribute) {
        return item.get(attribute)
    }

    String getName() {
        return item.name
    }

    String getLabel() {
        return item.label
    }

    String getDescription() {
        return item.description
    }

    String getKind() {
        return get("kind")
    }

    String getUsual() {
        return item.defaultValue
    }

    BigDecimal getLeast() {
        return item.minimumValue?.toString()?.toBigDecimal()
    }

    BigDecimal getMost() {
        return item.maximumValue?.toString()?.toBigDecimal()
    }

    // Of the slider beside it; null = none.
    List<BigDecimal> getSlider() {
        return item.softMaximum ? [item.softMinimum.toString() as BigDecimal, item.softMaximum.toString() as BigDecimal] : null
    }

    boolean isNumber() {
        return kind in ["number", "length"] || kind in WHOLE
    }

    // The choices that an image allows; null = all of them.
    List<String> choices(ImagePlus image = null) {
        return get("of").split(/\|/).collect { it.split(":") as List }
            .findAll { !image || it.size() == 1 || Field.hasAll(image, it[1]) }*.first()
    }

    boolean fits(ImagePlus image) {
        return !image || Field.hasAll(image, get("needs"))
    }

    static boolean hasAll(ImagePlus image, String needs) {
        def there = [slices: image.NSlices > 1, frames: image.NFrames > 1, stack: image.NSlices * image.NFrames > 1,
                     channels: image.NChannels > 1 || image.type == ImagePlus.COLOR_RGB]
        return (needs ?: "").split().every { there[it] }
    }

    // The text as a value; IllegalArgumentException with a sentence for what it cannot be.
    Object typed(String text) {
        text = text.trim()
        if (number)
            return numeric(text)
        if (kind == "box" && !(text in ["true", "false"]))
            refuse(text, "write true or false.")
        if (kind == "choice" && !(text in choices()))
            refuse(text, "choose one of: ${choices().join(", ")}.")
        if (kind == "box")
            return text == "true"
        if (kind in ["folder", "file"])
            return text in ["", get("none")] ? null : new File(text)
        return text
    }

    private Object numeric(String text) {
        def value = read(text)
        if (least != null && value < least)
            refuse(text, "the smallest possible is ${least}.")
        if (most != null && value > most)
            refuse(text, "the largest possible is ${most}.")
        if (!(kind in WHOLE))
            return value as double
        if (value.remainder(BigDecimal.ONE) != 0)
            refuse(text, "give a whole number.")
        return value.intValueExact()
    }

    // A number as people write it, also with a decimal comma.
    BigDecimal read(String text) {
        if (text ==~ /[+-]?\d+,\d{3}/)
            refuse(text, "this may be ${text.replace(",", "")} or ${text.replace(",", ".")}; write it without a comma.")
        if (!(text ==~ /[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?/))
            refuse(text, "give a number, such as ${kind in WHOLE ? "15" : "26.5"}.")
        return text.replace(",", ".") as BigDecimal
    }

    private void refuse(String text, String advice) {
        throw new IllegalArgumentException("${name} = '${text}' is not possible: ${advice}")
    }
}

class Settings {
    final cellspan, module
    final ImagePlus image
    final List<Field> fields

    Settings(cellspan, module, ImagePlus image) {
        this.cellspan = cellspan
        this.module = module
        this.image = image
        fields = module.info.inputs().findAll { it.get("kind") }.collect { new Field(it) }
    }

    // The name of the command, under which its last values are remembered.
    String getCommand() {
        return new File(module.info.path).name - ".groovy"
    }

    // The values by name. `check` gets them, and refuses what does not go together before the work begins.
    Map<String, Object> ask(Map options, Closure check) {
        if (wantsDialog() && !cellspan.shared("form").newInstance(this, options, check).accepted())
            cellspan.cancel()
        try {
            def values = typed(fields.collectEntries { [it.name, module.getInput(it.name).toString()] })
            check(values)
            return values
        } catch (IllegalArgumentException wrong) {
            cellspan.fail(wrong.message)
        }
    }

    Map<String, Object> typed(Map<String, String> texts) {
        return fields.collectEntries { [it.name, it.typed(texts[it.name])] }
    }

    // A person started the command: no macro, and no program that gave a value.
    private boolean wantsDialog() {
        return !GraphicsEnvironment.headless && Macro.options == null && !fields.any { module.isInputResolved(it.name) }
    }
}

return Settings
