"""Labels to flow fields, flow fields to labels: planes and volumes, on arrays and on tensors."""
