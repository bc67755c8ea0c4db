// The dialog of a command: what one usually sets, grouped; the rest behind "More...". It does not block ImageJ, so that lines
// can be drawn and planes be changed meanwhile.
//
// What is typed stays as it is typed; a mistake is told in the dialog, which stays open. The values of the last time are
// remembered in ImageJ's preferences. settings.groovy says how fields are declared, and uses it.
// `cellspan install fiji` puts this file into plugins/cellspan.

import ij.IJ
import ij.ImagePlus
import ij.Prefs
import ij.WindowManager
import ij.gui.Line
import ij.plugin.frame.Recorder
import java.awt.BorderLayout
import java.awt.Color
import java.awt.Dimension
import java.awt.FlowLayout
import java.awt.Font
import java.awt.GridBagConstraints
import java.awt.GridBagLayout
import java.awt.GridLayout
import java.awt.Insets
import java.awt.event.WindowAdapter
import java.util.concurrent.CountDownLatch
import javax.swing.AbstractAction
import javax.swing.BorderFactory
import javax.swing.BoxLayout
import javax.swing.JButton
import javax.swing.JCheckBox
import javax.swing.JComboBox
import javax.swing.JComponent
import javax.swing.JDialog
import javax.swing.JFileChooser
import javax.swing.JLabel
import javax.swing.JPanel
import javax.swing.JScrollPane
import javax.swing.JSlider
import javax.swing.JTextField
import javax.swing.KeyStroke
import javax.swing.event.DocumentListener

class Form {
    private final settings, cellspan
    private final ImagePlus image
    private final Closure check
    private final Map options // preview: true shows the box Preview
    private final Map<String, Map> entries = [:] // by name: [field: , text: { }, show: { text -> }]
    private final CountDownLatch closed = new CountDownLatch(1)
    private final JLabel message = new JLabel(" ")
    private final JPanel rare = column()
    private final JButton more = new JButton()
    private JDialog dialog
    private JComboBox unit // in which sizes are given: pixels, or the unit of the image
    private preview
    private boolean isAccepted, isFilling = true
    private Map<String, String> official // models of Cellpose, which take a moment to list; no window waits for that

    Form(settings, Map options, Closure check) {
        this.settings = settings
        this.options = options
        this.check = check
        cellspan = settings.cellspan
        image = settings.image
        official = settings.fields.any { it.kind == "official" } ? cellspan.officialModels() : [:]
    }

    // Shows the dialog and waits; whether the person pressed OK, and the module then has the values.
    boolean accepted() {
        cellspan.onEventThread { open() }
        closed.await()
        if (!isAccepted)
            Recorder.setCommand(null) // nothing was done
        return isAccepted
    }

    // ---- what it looks like

    private void open() {
        def title = settings.command.replace("_", " ")
        dialog = new JDialog(IJ.instance, image ? "${title} - ${image.title}" : title, false)
        def content = column()
        def fields = settings.fields.findAll { it.fits(image) }
        if (isCalibrated() && fields.any { it.kind == "length" })
            unit = new JComboBox(["pixels", image.calibration.unit] as String[])
        def (seldom, often) = fields.split { it.get("more") }
        addParts(content, often)
        addParts(rare, seldom)
        rare.visible = false
        if (seldom)
            content.add(line(more))
        content.add(rare)
        message.foreground = new Color(0xb00000)
        def south = column()
        if (options.preview) {
            preview = cellspan.shared("preview").newInstance(cellspan, image) { values() }
            south.add(line(preview.box, preview.answer))
        }
        south.add(line(message))
        south.add(buttons())
        dialog.layout = new BorderLayout()
        def scroll = new JScrollPane(content)
        scroll.border = null
        scroll.verticalScrollBar.unitIncrement = 16
        dialog.add(scroll, BorderLayout.CENTER)
        dialog.add(south, BorderLayout.SOUTH)
        more.addActionListener { rare.visible = !rare.visible; changed(); fit() }
        unit?.addActionListener { convert() }
        dialog.addWindowListener([windowClosing: { close() }] as WindowAdapter)
        if (unit)
            unit.selectedIndex = Prefs.get(key("unit"), image.calibration.unit) == image.calibration.unit ? 1 : 0
        fill(remembered())
        isFilling = false
        changed()
        fit()
        place()
        dialog.visible = true
        dialog.toFront() // of the ROI Manager and others that it may overlap
    }

    // As large as its content, if the screen is.
    private void fit() {
        dialog.minimumSize = null
        dialog.pack()
        def screen = dialog.graphicsConfiguration.bounds
        def wider = dialog.height > screen.height - 80 ? 20 : 0 // for the scroll bar
        dialog.size = new Dimension(dialog.width + wider, (int) Math.min(dialog.height, screen.height - 80))
        def x = Math.max(screen.x, Math.min(dialog.x, screen.maxX - dialog.width))
        def y = dialog.y + dialog.height > screen.maxY ? Math.max(screen.y, screen.maxY - dialog.height - 40) : dialog.y
        dialog.setLocation((int) x, (int) y) // the buttons stay within reach
    }

    // Beside the image, if there is room on one of its sides: the preview is to be seen.
    private void place() {
        dialog.setLocationRelativeTo(IJ.instance)
        def (window, screen) = [image?.window?.bounds, dialog.graphicsConfiguration.bounds]
        if (!window)
            return
        def (left, right) = [window.x - 8 - dialog.width, window.maxX + 8]
        def isRight = right + dialog.width < screen.maxX
        if (isRight || left >= screen.x)
            dialog.setLocation((int) (isRight ? right : left), (int) Math.min(window.y, screen.maxY - dialog.height))
    }

    private void addParts(JPanel content, List fields) {
        def labels = fields.findAll { it.kind != "box" }.collect { new JLabel(it.label).preferredSize.width }.max() ?: 0
        fields.groupBy { it.get("part") }.each { part, own ->
            def heading = new JLabel(part)
            heading.font = heading.font.deriveFont(Font.BOLD)
            content.add(line(heading))
            def (boxes, rows) = own.split { it.kind == "box" }
            if (rows)
                content.add(table(rows, labels as int))
            if (boxes) {
                def panel = new JPanel(new GridLayout(0, 2, 8, 0))
                boxes.each { panel.add(boxFor(it)) }
                panel.border = BorderFactory.createEmptyBorder(0, 16, 4, 8)
                panel.alignmentX = 0f
                content.add(panel)
            }
        }
    }

    private JPanel table(List fields, int labels) {
        def panel = new JPanel(new GridBagLayout())
        panel.border = BorderFactory.createEmptyBorder(0, 16, 4, 8)
        panel.alignmentX = 0f
        fields.eachWithIndex { field, row ->
            def label = new JLabel(field.label)
            label.toolTipText = field.description
            label.horizontalAlignment = JLabel.TRAILING
            label.preferredSize = new Dimension(labels, label.preferredSize.height as int)
            panel.add(label, at(0, row, GridBagConstraints.LINE_END, 0))
            panel.add(line(0, *components(field)), at(1, row, GridBagConstraints.LINE_START, 1))
        }
        return panel
    }

    private GridBagConstraints at(int x, int y, int anchor, double share) {
        return new GridBagConstraints(x, y, 1, 1, share, 0, anchor, 0, new Insets(1, x ? 6 : 0, 1, 0), 0, 0)
    }

    private JPanel line(int border = 6, JComponent... parts) {
        def panel = new JPanel(new FlowLayout(FlowLayout.LEADING, 4, 0))
        parts.each { panel.add(it) }
        panel.border = BorderFactory.createEmptyBorder(border ? 3 : 0, border, border ? 3 : 0, border)
        panel.alignmentX = 0f
        return panel
    }

    private JPanel column() {
        def panel = new JPanel()
        panel.layout = new BoxLayout(panel, BoxLayout.Y_AXIS)
        panel.alignmentX = 0f
        return panel
    }

    private JPanel buttons() {
        def panel = new JPanel(new FlowLayout(FlowLayout.TRAILING))
        panel.alignmentX = 0f
        def add = { String text, String tip, Closure action ->
            def button = new JButton(text)
            button.toolTipText = tip
            button.addActionListener { action() }
            panel.add(button)
            button
        }
        add("Help", "Says what each setting means") { cellspan.help([settings.module.info]) }
        add("Defaults", "Sets every field as it was at first") { fill(usual()); changed() }
        add("Cancel", null) { close() }
        def ok = add("OK", null) { accept() }
        dialog.rootPane.defaultButton = ok
        def escape = KeyStroke.getKeyStroke("ESCAPE")
        dialog.rootPane.getInputMap(JComponent.WHEN_IN_FOCUSED_WINDOW).put(escape, "close")
        dialog.rootPane.actionMap.put("close", [actionPerformed: { close() }] as AbstractAction)
        return panel
    }

    // ---- fields

    private JCheckBox boxFor(field) {
        def box = new JCheckBox(field.label)
        box.toolTipText = field.description
        box.addActionListener { changed() }
        entries[field.name] = [field: field, text: { box.selected.toString() }, show: { box.selected = it == "true" }]
        return box
    }

    private List<JComponent> components(field) {
        switch (field.kind) {
            case "choice":
                return [comboFor(field, field.choices(image).collectEntries { [it, it] })]
            case "model":
                return [comboFor(field, cellspan.modelsInWords())]
            case "official":
                return [comboFor(field, official, true)]
            case "restoring":
                return [comboFor(field, field.choices().collectEntries { [it, it] } + cellspan.modelsInWords(true))]
            case ["channel", "channels"]:
                return [image ? comboFor(field, channels(field), field.kind == "channels") : textFor(field, 7)]
            case "length":
                def button = new JButton("Measure")
                button.toolTipText = "Takes the length of the line, or the size of the outline, that you drew on the image"
                button.addActionListener { measure(field.name) }
                def isFirst = !entries.values().any { it.field.kind == "length" }
                return [textFor(field, 7), unit && isFirst ? unit : unitName("")] + (image ? [button] : [])
            case "area":
                return [textFor(field, 7), unitName("\u00b2")]
            case ["folder", "file"]:
                def choose = new JButton("Browse...")
                def text = textFor(field, 28)
                choose.addActionListener { browse(text, field.kind == "folder") }
                return [text, choose]
            default:
                def text = textFor(field, field.number ? 7 : 12)
                return [text] + (field.slider ? [sliderFor(field, text)] : [])
        }
    }

    // Follows the choice of the unit.
    private JLabel unitName(String end) {
        def name = new JLabel("pixels")
        unit?.addActionListener { name.text = inPixels() ? "pixels" : image.calibration.unit + end }
        return name
    }

    private JTextField textFor(field, int columns) {
        def text = new JTextField(columns)
        text.toolTipText = field.description
        def listener = { changed() }
        text.document.addDocumentListener([insertUpdate: listener, removeUpdate: listener, changedUpdate: listener] as DocumentListener)
        entries[field.name] = [field: field, text: { text.text.trim() }, show: { text.text = it }]
        return text
    }

    // Follows the text, and the text follows it.
    private JSlider sliderFor(field, JTextField text) {
        def (low, high) = field.slider
        def step = 0.05
        def slider = new JSlider((low / step).intValue(), (high / step).intValue())
        slider.preferredSize = new Dimension(150, (int) slider.preferredSize.height)
        slider.toolTipText = field.description
        def following = false
        slider.addChangeListener {
            if (!following)
                text.text = (slider.value * step).stripTrailingZeros().toPlainString()
        }
        text.document.addDocumentListener([insertUpdate: {
            if (text.text ==~ /-?\d+([.,]\d*)?/) {
                following = true
                slider.value = Math.round((text.text.replace(",", ".") as double) / step)
                following = false
            }
        }, removeUpdate: {}, changedUpdate: {}] as DocumentListener)
        return slider
    }

    // `shown`: what the list shows, by value. In an editable one, other values can be typed.
    private JComboBox comboFor(field, Map<String, String> shown, boolean isEditable = false) {
        def combo = new JComboBox(shown.values() as String[])
        combo.editable = isEditable
        combo.toolTipText = field.description
        combo.prototypeDisplayValue = "mm" + (shown.values().max { it.size() }?.take(40) ?: "")
        combo.addActionListener { changed() }
        if (isEditable) {
            def listener = { changed() }
            combo.editor.editorComponent.document.addDocumentListener(
                [insertUpdate: listener, removeUpdate: listener, changedUpdate: listener] as DocumentListener)
        }
        def text = {
            def entered = (isEditable ? combo.editor.item : combo.selectedItem)?.toString() ?: ""
            shown.find { it.value == entered }?.key ?: entered.trim()
        }
        def show = { value ->
            if (isEditable || value in shown.keySet())
                combo.selectedItem = shown[value] ?: value
        }
        entries[field.name] = [field: field, text: text, show: show]
        return combo
    }

    private Map<String, String> channels(field) {
        def rgb = image.type == ImagePlus.COLOR_RGB
        def colours = ["1 (red)", "2 (green)", "3 (blue)"]
        def numbers = rgb ? (1..3).collectEntries { [it.toString(), colours[it - 1]] }
            : (1..image.NChannels).collectEntries { [it.toString(), it.toString()] }
        return ["0": field.get("zero") ?: (rgb ? "brightness" : "the one shown")] + numbers
    }

    private void browse(JTextField text, boolean isFolder) {
        def chooser = new JFileChooser(text.text)
        if (isFolder)
            chooser.fileSelectionMode = JFileChooser.DIRECTORIES_ONLY
        if (chooser.showDialog(dialog, "Choose") == JFileChooser.APPROVE_OPTION)
            text.text = chooser.selectedFile.path
    }

    // ---- sizes

    private boolean isCalibrated() {
        // The unit of a TIFF that tells none is a space.
        return image?.calibration?.scaled() && !(image.calibration.unit.trim() in ["", "pixel", "pixels"])
    }

    private boolean inPixels() {
        return unit == null || unit.selectedIndex == 0
    }

    // The side of a pixel, in the unit of the image.
    private double pixelSize() {
        return Math.sqrt(image.calibration.pixelWidth * image.calibration.pixelHeight)
    }

    private double pixelsIn(field) {
        return field.kind == "length" ? 1 / pixelSize() : field.kind == "area" ? 1 / (pixelSize()**2) : 1
    }

    // Other units of the same sizes; what cannot be read stays.
    private void convert() {
        if (isFilling)
            return
        entries.values().findAll { isSize(it) }.each { entry ->
            def number = numberIn(entry)
            if (number == null)
                return
            def value = number * (inPixels() ? pixelsIn(entry.field) : 1 / pixelsIn(entry.field))
            entry.show(entry.field.kind == "area" && inPixels() ? Math.round(value).toString() : readable(value))
        }
        changed()
    }

    // Null for what is no number.
    private Double numberIn(Map entry) {
        try {
            return entry.field.read(entry.text()) as double
        } catch (IllegalArgumentException wrong) {
            return null
        }
    }

    private String readable(double value) {
        return new BigDecimal(value).round(new java.math.MathContext(5)).stripTrailingZeros().toPlainString()
    }

    // The text of a field as the command gets it: sizes in pixels.
    private String textOf(Map entry) {
        def text = entry.text()
        if (inPixels() || !isSize(entry))
            return text
        def number = numberIn(entry)
        if (number == null)
            return text // whoever reads it will refuse it
        def pixels = number * pixelsIn(entry.field)
        return entry.field.kind == "area" ? Math.round(pixels).toString() : readable(pixels)
    }

    // The diameter that the selection on the image shows: the length of a line, or that of the disk of an outline's area.
    private void measure(String name) {
        def roi = image.roi
        if (!roi || !(roi.line || roi.area)) {
            tell("Draw a line across a typical cell, or outline one, then press Measure.")
            return
        }
        def pixels = roi instanceof Line ? roi.rawLength : roi.line ? lengthInPixels(roi)
            : 2 * Math.sqrt(roi.containedPoints.size() / Math.PI)
        def value = inPixels() ? pixels : pixels * pixelSize()
        entries[name].show(new BigDecimal(value).round(new java.math.MathContext(3)).toPlainString())
    }

    private double lengthInPixels(roi) {
        def points = roi.floatPolygon
        return (1..<points.npoints).collect {
            Math.hypot(points.xpoints[it] - points.xpoints[it - 1], points.ypoints[it] - points.ypoints[it - 1])
        }.sum(0d)
    }

    // ---- values

    private Map<String, String> usual() {
        return settings.fields.collectEntries { [it.name, it.usual] }
    }

    // What was entered last time, sizes in pixels.
    private Map<String, String> remembered() {
        return settings.fields.collectEntries { [it.name, Prefs.get(key(it.name), it.usual)] }
    }

    private String key(String name) {
        return "cellspan.${settings.command}.${name}"
    }

    // Shows these texts, sizes in pixels.
    private void fill(Map<String, String> texts) {
        def wasFilling = isFilling
        isFilling = true
        entries.each { name, entry ->
            entry.show(texts[name])
            if (!inPixels() && isSize(entry) && texts[name].isBigDecimal())
                entry.show(inUnit(name, entry, texts[name]))
        }
        isFilling = wasFilling
    }

    private boolean isSize(Map entry) {
        return entry.field.kind in ["length", "area"]
    }

    // A size in the unit of the image, as it was entered in it. The size of cells, and so what was entered last, is the same
    // in an image with other pixels; a default is a number of pixels.
    private String inUnit(String name, Map entry, String pixels) {
        def entered = Prefs.get(key(name + ".in." + image.calibration.unit), null)
        def isLast = pixels != entry.field.usual && pixels == Prefs.get(key(name), null) &&
            Prefs.get(key(name + ".unit"), null) == image.calibration.unit
        if (entered && isLast)
            return entered
        entry.show(entered ?: "")
        return textOf(entry) == pixels ? entered : readable((pixels as double) / pixelsIn(entry.field))
    }

    private void remember() {
        if (unit)
            Prefs.set(key("unit"), unit.selectedItem.toString())
        entries.each { name, entry ->
            Prefs.set(key(name), textOf(entry))
            if (!isSize(entry))
                return
            Prefs.set(key(name + ".unit"), inPixels() ? "pixels" : image.calibration.unit)
            if (!inPixels())
                Prefs.set(key(name + ".in." + image.calibration.unit), entry.text())
        }
    }

    // All values; those that are not shown have their defaults. IllegalArgumentException for what is wrong.
    private Map<String, Object> values() {
        def values = settings.typed(texts())
        check(values)
        return values
    }

    private Map<String, String> texts() {
        return usual() + entries.collectEntries { name, entry -> [name, textOf(entry)] }
    }

    private void changed() {
        if (isFilling)
            return
        def unusual = entries.values().count { it.field.get("more") && textOf(it) != it.field.usual }
        more.text = (rare.visible ? "Less" : "More...") + (unusual ? " (${unusual} changed)" : "")
        tell(" ")
        preview?.changed()
    }

    // ---- the end

    private void accept() {
        try {
            def texts = texts()
            values()
            if (image && !image.processor)
                throw new IllegalArgumentException("The image was closed.")
            remember()
            texts.each { name, text -> settings.module.setInput(name, text) }
            isAccepted = true
            close()
        } catch (IllegalArgumentException wrong) {
            tell(wrong.message)
        }
    }

    private void tell(String sentence) {
        def text = sentence.replace("&", "&amp;").replace("<", "&lt;")
        message.text = sentence.trim() ? "<html><body style='width: 300px'>${text}</body></html>" : " "
        if (sentence.trim())
            fit()
    }

    private void close() {
        preview?.close()
        dialog.dispose()
        closed.countDown()
    }
}

return Form
