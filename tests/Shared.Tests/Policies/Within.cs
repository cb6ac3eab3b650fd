using System.Diagnostics.CodeAnalysis;

namespace FuncScaler.Tests.Policies;

/// <summary>Numbers are equal when they differ by no more than a tolerance.</summary>
internal sealed class Within(double tolerance) : IEqualityComparer<double>
{
    public bool Equals(double x, double y) => Math.Abs(x - y) <= tolerance;

    public int GetHashCode([DisallowNull] double obj) => 0;
}
