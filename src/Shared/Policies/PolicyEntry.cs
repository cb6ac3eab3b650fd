namespace FuncScaler.Policies;

/// <summary>A policy in the catalog.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Option">What may follow the name after a colon; empty for nothing.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Make">Makes the choice from the options.</param>
public sealed record PolicyEntry(string Name, string Option, string Summary, Func<PolicyOptionReader, PolicyChoice> Make)
{
    /// <summary>The name with its option, for example <c>ttl[:S]</c>.</summary>
    public string Usage => Option.Length == 0 ? Name : $"{Name}[:{Option}]";
}
