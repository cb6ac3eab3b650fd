using System.Globalization;

namespace FuncScaler.Nodes;

/// <summary>A fleet's own number for a node, from the wish to reserve it on; 1 is the first. The platform's name for it is known later.</summary>
public readonly record struct NodeTicket(long Value)
{
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
