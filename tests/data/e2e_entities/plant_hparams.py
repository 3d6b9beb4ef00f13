"""What is searched for each circuit."""

from kftune import Hparam, Hparams, IntUniform, Uniform


class Plant(Hparams):
    """The values of one circuit."""

    circuit: str = ""
    """Its name: PLANT/CIRCUIT."""
    units: int = Hparam(8, search=IntUniform(8, 64))
    """The best number is that of the circuit."""
    rate: float = Hparam(0.5, search=Uniform(0.1, 0.9))
    """The best one is 0.5."""
