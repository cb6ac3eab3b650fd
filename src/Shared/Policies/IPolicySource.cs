namespace FuncScaler.Policies;

/// <summary>
/// Policies that stand in another assembly: <c>simulate --policy-assembly my.dll</c> makes each public class that implements this, by its
/// constructor without parameters, and offers its policies beside those of <see cref="PolicyCatalog"/>.
/// </summary>
public interface IPolicySource
{
    /// <summary>The policies; their names must not be those of others.</summary>
    IEnumerable<PolicyEntry> Policies { get; }
}
