"""NetCDF, classic and NetCDF-4, alone or collectively through PnetCDF."""
