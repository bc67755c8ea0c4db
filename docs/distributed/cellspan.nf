// One task of `cellspan batch` for each plate folder. Not run yet: see README.md beside this file.
params.pipeline = 'my.cppipe'
params.plates = 'plates/*'
params.results = 'results'

process batch {
    tag "${plate.name}"
    publishDir params.results, mode: 'copy'

    input:
    path pipeline
    path plate

    output:
    path "results_${plate.name}"

    // 1: some image sets failed; batch.json names them, and the results of the others are kept.
    script:
    """
    cellspan batch ${pipeline} --images ${plate} --output results_${plate.name} --workers ${task.cpus} || test \$? -eq 1
    """
}

workflow {
    batch(file(params.pipeline), channel.fromPath(params.plates, type: 'dir'))
}
