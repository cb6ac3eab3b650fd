using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>The key that identifies a function: the contract's <c>metaKey</c>.</summary>
[JsonConverter(typeof(MetaKeyConverter))]
public readonly record struct MetaKey(string Value)
{
    public override string ToString() => Value;
}
