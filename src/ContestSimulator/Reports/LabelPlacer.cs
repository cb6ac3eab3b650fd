using System.Text;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>
/// Finds places for labels beside their points such that no label covers another, a point or the edge; as near as possible, and better
/// off the lines. Greedy and without chance: the same points get the same places.
/// </summary>
internal sealed class LabelPlacer(Box within, double fontSize)
{
    private const double Gap = 2;

    private static readonly double[] Distances = [9, 15, 22, 30, 40, 52, 66, 82, 100];

    private readonly List<Box> _taken = [];
    private readonly List<(double X1, double Y1, double X2, double Y2)> _lines = [];

    /// <summary>Keeps labels off a point or another thing.</summary>
    public void Block(Box box) => _taken.Add(box);

    /// <summary>Makes labels rather avoid a line.</summary>
    public void Avoid(double x1, double y1, double x2, double y2) => _lines.Add((x1, y1, x2, y2));

    /// <summary>The width that a text needs at most, about: system fonts differ.</summary>
    public double WidthOf(string text)
    {
        double width = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            width += rune.Value > 0x2e7f ? 1 : Rune.IsUpper(rune) ? 0.72 : 0.58;
        }

        return width * fontSize;
    }

    /// <summary>A place for the label of the point at x, y; null when there is none without an overlap.</summary>
    public Box? Place(double x, double y, string text)
    {
        var width = WidthOf(text);
        var height = fontSize * 1.15;
        Box? best = null;
        var bestCost = double.PositiveInfinity;
        foreach (var distance in Distances)
        {
            for (var direction = 0; direction < 16; direction++)
            {
                var (sin, cos) = Math.SinCos(direction * Math.PI / 8);
                // The box touches the circle with the corner or edge that faces the point.
                var box = new Box(
                    x + (distance * cos) - (width * (1 - cos) / 2), y - (distance * sin) - (height * (1 + sin) / 2), width, height);
                var cost = distance + (2 * Math.Abs(sin * cos)) + (direction > 8 ? 1 : 0);
                if (cost >= bestCost || !within.Contains(box) || _taken.Exists(t => t.Grow(Gap).Overlaps(box)))
                {
                    continue;
                }

                cost += 14 * _lines.Count(line => box.Meets(line.X1, line.Y1, line.X2, line.Y2));
                var (leaderX, leaderY) = box.Nearest(x, y);
                cost += distance > Distances[0] ? 40 * _taken.Count(t => !t.Holds(x, y) && t.Meets(x, y, leaderX, leaderY)) : 0;
                if (cost < bestCost)
                {
                    (best, bestCost) = (box, cost);
                }
            }
        }

        if (best is { } found)
        {
            _taken.Add(found);
        }

        return best;
    }
}

/// <summary>A rectangle; y grows downwards.</summary>
internal readonly record struct Box(double X, double Y, double Width, double Height)
{
    public static Box At(double x, double y, double radius) => new(x - radius, y - radius, 2 * radius, 2 * radius);

    public Box Grow(double by) => new(X - by, Y - by, Width + (2 * by), Height + (2 * by));

    public bool Overlaps(Box other) =>
        X < other.X + other.Width && other.X < X + Width && Y < other.Y + other.Height && other.Y < Y + Height;

    public bool Contains(Box other) =>
        X <= other.X && other.X + other.Width <= X + Width && Y <= other.Y && other.Y + other.Height <= Y + Height;

    public bool Holds(double x, double y) => x >= X && x <= X + Width && y >= Y && y <= Y + Height;

    public (double X, double Y) Nearest(double x, double y) => (Math.Clamp(x, X, X + Width), Math.Clamp(y, Y, Y + Height));

    /// <summary>Whether a line passes through: Liang-Barsky clipping.</summary>
    public bool Meets(double x1, double y1, double x2, double y2)
    {
        double from = 0;
        double to = 1;
        return Clip(x1 - x2, x1 - X) && Clip(x2 - x1, X + Width - x1) && Clip(y1 - y2, y1 - Y) && Clip(y2 - y1, Y + Height - y1);

        bool Clip(double direction, double distance)
        {
            if (direction == 0)
            {
                return distance >= 0;
            }

            var at = distance / direction;
            if (direction < 0)
            {
                from = Math.Max(from, at);
            }
            else
            {
                to = Math.Min(to, at);
            }

            return from <= to;
        }
    }
}
