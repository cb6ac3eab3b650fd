namespace FuncScaler.Runtime.Soaking;

/// <summary>What the scaler of a simulated world stands on.</summary>
public enum SoakBackend
{
    /// <summary>A backend whose every call is the world's.</summary>
    Simulator,

    /// <summary>The adapter of Azure Container Instances, on a simulated Resource Manager.</summary>
    Aci,

    /// <summary>The backend of nodes, on a simulated platform that rents nodes out.</summary>
    Nodes,
}

/// <summary>
/// Plays whole scalers in deterministic worlds, one for each seed, and counts what happened in them. The same seed is the same world on every
/// machine. Not safe for concurrent use.
/// </summary>
public sealed class Soak
{
    private readonly long[] _faults = new long[Enum.GetValues<SoakFault>().Length];

    /// <summary>What all worlds stand on; null where each seed decides.</summary>
    public SoakBackend? Backend { get; init; }

    /// <summary>Worlds that were played to their end.</summary>
    public long Schedules { get; private set; }

    /// <summary>Requests that were given an instance.</summary>
    public long Granted { get; private set; }

    /// <summary>Requests that were refused.</summary>
    public long Rejected { get; private set; }

    /// <summary>How often more than one request was seen to hold an instance.</summary>
    public long Shared { get; private set; }

    /// <summary>How often a fault came.</summary>
    public long Count(SoakFault fault) => _faults[(int)fault];

    /// <summary>Plays a world to its end.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="writer">Where is told what happens, a line each; null for nowhere.</param>
    /// <returns>A hash of all that happened.</returns>
    /// <exception cref="SoakException">A promise was broken; the message has the last that happened.</exception>
    public ulong Play(long seed, TextWriter? writer = null) => Play(seed, LeftOut.Nothing, writer);

    internal ulong Play(long seed, LeftOut leftOut, TextWriter? writer = null)
    {
        var log = new SoakLog(writer);
        using var world = new SoakWorld(seed, log, Backend, leftOut);
        try
        {
            world.Run();
        }
        catch (Exception e)
        {
            // An error of the code under test is no less a finding than a broken promise.
            var what = e is SoakException ? e.Message : e.ToString();
            throw new SoakException($"seed {seed}: {what}\nThe last that happened:\n  {string.Join("\n  ", log.Last)}", e);
        }

        Schedules++;
        Granted += world.Callers.Granted;
        Rejected += world.Callers.Rejected;
        Shared += world.Callers.Shared;
        for (var i = 0; i < _faults.Length; i++)
        {
            _faults[i] += log.Faults[i];
        }

        return log.Hash;
    }
}
