namespace FuncScaler.Pool;

/// <summary>The limits that operators have set: those of single functions, and those of all others.</summary>
internal sealed class LimitsBook
{
    private readonly Dictionary<MetaKey, FunctionLimits> _own = [];
    private FunctionLimits _others = FunctionLimits.None;

    /// <summary>The limits of a function.</summary>
    public FunctionLimits Of(MetaKey function) => _own.GetValueOrDefault(function, _others);

    /// <summary>Whether a function has limits of its own.</summary>
    public bool Names(MetaKey function) => _own.ContainsKey(function);

    /// <summary>Sets a function's own limits, which may be <see cref="FunctionLimits.None"/>; with null it has those of all others.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void Set(MetaKey function, FunctionLimits? limits)
    {
        if (limits is null)
        {
            _own.Remove(function);
            return;
        }

        Check(limits);
        _own[function] = limits;
    }

    /// <summary>Sets the limits of each function that has none of its own.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetOthers(FunctionLimits limits)
    {
        Check(limits);
        _others = limits;
    }

    private static void Check(FunctionLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        limits.Validate();
    }
}
