using System.Text;

namespace FuncScaler.ContestSimulator.Reports;

/// <summary>
/// Finds places for labels beside their points such that no label covers another, a point or the edge; as near as possible, and better
/// off the lines. Greedy, in the best of some orders, and without chance: the same points get the same places.
/// </summary>
internal sealed class LabelPlacer(Box within, double fontSize)
{
    private const double Gap = 2;

    private const int Directions = 24;

    private static readonly double[] Distances = [9, 14, 20, 27, 35, 44, 54, 66, 80, 96, 114];

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

    /// <summary>A place for the label of each point; null where there is none without an overlap.</summary>
    public Box?[] Place(IReadOnlyList<(double X, double Y, string Text)> points)
    {
        var inOrder = Enumerable.Range(0, points.Count).ToArray();
        int[][] orders =
        [
            inOrder,
            [.. inOrder.Reverse()],
            [.. inOrder.OrderBy(i => points[i].X)],
            [.. inOrder.OrderBy(i => -points[i].X)],
            [.. inOrder.OrderBy(i => points[i].Y)],
            [.. inOrder.OrderBy(i => -points[i].Y)],
            [.. inOrder.OrderBy(i => -points[i].Text.Length)],
        ];
        Box?[] best = [];
        var bestCost = double.PositiveInfinity;
        var blocked = _taken.Count;
        foreach (var order in orders)
        {
            var places = new Box?[points.Count];
            double cost = 0;
            foreach (var i in order)
            {
                (places[i], var itsCost) = Place(points[i].X, points[i].Y, points[i].Text);
                cost += itsCost;
            }

            _taken.RemoveRange(blocked, _taken.Count - blocked);
            if (cost < bestCost)
            {
                (best, bestCost) = (places, cost);
            }
        }

        return best;
    }

    private (Box? Place, double Cost) Place(double x, double y, string text)
    {
        const double costOfNone = 1000;
        var width = WidthOf(text);
        var height = fontSize * 1.15;
        Box? best = null;
        var bestCost = costOfNone;
        foreach (var distance in Distances)
        {
            for (var direction = 0; direction < Directions; direction++)
            {
                var (sin, cos) = Math.SinCos(direction * 2 * Math.PI / Directions);
                // The box touches the circle with the corner or edge that faces the point.
                var box = new Box(
                    x + (distance * cos) - (width * (1 - cos) / 2), y - (distance * sin) - (height * (1 + sin) / 2), width, height);
                var cost = distance + (2 * Math.Abs(sin * cos)) + (sin < 0 ? 1 : 0);
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

        return (best, bestCost);
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
