using System.Text.Json.Serialization;

namespace FuncScaler.Model;

/// <summary>The caller's id of one request. Unique while the request lives: from Assign until its Release.</summary>
[JsonConverter(typeof(RequestIdConverter))]
public readonly record struct RequestId(string Value)
{
    public override string ToString() => Value;
}
