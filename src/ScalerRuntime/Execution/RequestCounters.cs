namespace FuncScaler.Runtime.Execution;

/// <summary>What a runtime counts; under its lock.</summary>
internal sealed class RequestCounters
{
    public long Assigns { get; set; }

    public long Warm { get; private set; }

    public long Waited { get; private set; }

    public long Cold { get; private set; }

    public long Rejected { get; set; }

    /// <summary>Those of <see cref="Rejected"/> that were told at once to come again.</summary>
    public long Overloaded { get; set; }

    public long Releases { get; set; }

    public long UnknownReleases { get; set; }

    public long Creates { get; set; }

    public long Destroys { get; set; }

    public long BackendFailures { get; set; }

    /// <summary>Calls that the platform has sent back for now.</summary>
    public long Throttled { get; set; }

    /// <summary>Creations the core has asked for, held back ones included.</summary>
    public long CreatesAsked { get; set; }

    /// <summary>Those among them that a request without an instance has caused at once.</summary>
    public long CreatesOnMiss { get; set; }

    /// <summary>Requests that were let wait for what comes first, without a creation.</summary>
    public long Waits { get; set; }

    /// <summary>Slots the core has given back.</summary>
    public long GivenBack { get; set; }

    /// <summary>The counts as they are now.</summary>
    public RequestCounters Copy() => (RequestCounters)MemberwiseClone();

    public void Granted(GrantKind kind)
    {
        switch (kind)
        {
            case GrantKind.Waited:
                Waited++;
                break;
            case GrantKind.Cold:
                Cold++;
                break;
            case GrantKind.Warm:
            default:
                Warm++;
                break;
        }
    }
}
