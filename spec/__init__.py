"""The formulas of implicit padding, derived from one sentence and proved.

The sentence: *tap k of output i reads position i·s − p + k·d of the input, or the fill value where
there is none.*  The chapters read like a short paper; each theorem prints its derivation.

==================  ==============================================================================
``output_size``     how many outputs there are; same, full, valid, ceil mode, transposed
``fill``            the value of a window in the padding; border and shift identity; batch norm
``index_map``       where reflect, symmetric, circular and replicate read
``padded_array``    core, pad and fill of a convolved padded array
``stack``           receptive field, stride and offset of many layers; skip connections
``cost``            multiply-adds, parameters, memory
``linear_operator`` the convolution as a matrix, its adjoint, its gradients
``winograd``        A, G, B from their points, in exact rationals
==================  ==============================================================================

Proofs about integers (``integers``) and about finite sums (``sums``) carry certificates, see there.
The library never imports this package; the tests and ``implicitpad verify`` do.
"""
