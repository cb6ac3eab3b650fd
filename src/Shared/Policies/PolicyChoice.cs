namespace FuncScaler.Policies;

/// <summary>A policy as chosen by its name and option, for example <c>ttl:300</c>.</summary>
/// <param name="Name">The choice in full, as printed in tables.</param>
/// <param name="Begin">Called once per scaler; makes the policy of each function. What those share is made here.</param>
public sealed record PolicyChoice(string Name, Func<IPolicyHost, Func<FunctionMeta, IKeepAlivePolicy>> Begin)
{
    /// <summary>A choice whose policies share nothing.</summary>
    public PolicyChoice(string name, Func<FunctionMeta, IKeepAlivePolicy> create)
        : this(name, _ => create)
    {
    }

    /// <summary>Whether policies of different functions influence each other, so that functions cannot be simulated apart.</summary>
    public bool SharesState { get; init; }

    /// <summary>
    /// Makes, once for each run, what becomes of instances that were let go, on a platform that takes them back layer by layer; null where they
    /// are gone. Needs <see cref="SharesState"/>, as layers are shared.
    /// </summary>
    public Func<ILayerRules>? Layers { get; init; }

    /// <summary>What it aims at instead of a price, in words such as "95 of 100 requests have their instance within 200 ms"; null where prices hold.</summary>
    public string? Objective { get; init; }

    /// <summary>Whether its policies are <see cref="IExplainablePolicy"/>.</summary>
    public bool Explains { get; init; }
}
