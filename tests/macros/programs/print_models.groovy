// Prints the models that the dialogs offer.
//
// Arguments: FOLDER_OF_THIS_FILE

import ij.IJ

IJ.run("Select None", "") // ImageJ learns where its plugins are
def plugins = IJ.getDirectory("plugins")
new GroovyShell(getClass().classLoader).evaluate(new File(plugins, "cellspan/engine.groovy.txt")).models().each { println it }
System.exit(0)
